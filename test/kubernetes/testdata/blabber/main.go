// Command blabber is a gateway that writes all of its environment into its log, in
// several ways, and ends.
package main

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"strings"
)

func main() {
	for i, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Println(pair)
		fmt.Printf("%q %s %s\n", value, url.QueryEscape(value), base64.URLEncoding.EncodeToString([]byte(name+":"+value)))
		for cut := range 60 { // no line shows where it will be cut
			fmt.Println(strings.Repeat("x", 4096-cut-i%7) + value)
		}
	}
	os.Exit(1)
}
