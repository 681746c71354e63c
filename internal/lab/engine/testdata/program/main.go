// Command program is what the tests run in a container. Its first argument says
// how it behaves.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	fmt.Println("out: started")
	fmt.Fprintln(os.Stderr, "err: started")
	behaviour := "serve"
	if len(os.Args) > 1 {
		behaviour = os.Args[1]
	}
	switch behaviour {
	case "serve":
		serve(syscall.SIGTERM)
	case "stubborn":
		serve(nil)
	case "exit":
		code, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	case "parent": // leaves a child behind that outlives it
		child := exec.Command(os.Args[0], "child")
		child.Path = "/proc/self/exe"
		child.Env = append(os.Environ(), "LAB_HOST=127.0.0.1")
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println("child:", child.Process.Pid)
		serve(syscall.SIGTERM)
	case "child":
		time.Sleep(time.Hour)
	}
}

// serve answers on port 8080 of the address that LAB_HOST names, until sig comes.
func serve(sig os.Signal) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	mux := http.NewServeMux()
	mux.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(os.Environ(), "\n"))
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(os.Getenv("LAB_ROOT"), r.URL.Query().Get("path")))
	})
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.URL.Query().Get("code"))
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	})
	l, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("LAB_HOST"), "8080"))
	if err != nil {
		panic(err)
	}
	go http.Serve(l, mux)
	fmt.Println("out: ready")
	for s := range signals {
		fmt.Println("out: got", s)
		if s == sig {
			return
		}
	}
}
