// Package canary plants secrets that nobody may ever see, and looks for them.
//
// How a secret can look is written down here a second time: what finds secrets in
// tests shares nothing with what hides them in the program.
package canary

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Canaries are secrets, by the place where they were put. The zero value has none;
// all methods may be called at the same time.
type Canaries struct {
	mu    sync.Mutex
	known map[string][]string // what each looks like
}

// Plant makes one more canary known. What is shorter than any secret is none.
func (c *Canaries) Plant(place, value string) {
	if len(value) < 12 {
		return
	}
	forms := looks(value)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string][]string)
	}
	c.known[place] = append(c.known[place], forms...)
}

// Value makes a canary up. The last characters look different in every form.
func (c *Canaries) Value(place string) string {
	value := "canary-" + rand.Text() + `+/"<&>=?~`
	c.Plant(place, value)
	return value
}

// Word is Value for where nothing but a plain word can stand.
func (c *Canaries) Word(place string) string {
	value := "canary-" + rand.Text()
	c.Plant(place, value)
	return value
}

// Seen is nil when no canary can be read in a text, and names those that can.
func (c *Canaries) Seen(where, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for place, forms := range c.known {
		for _, look := range forms {
			if i := strings.Index(text, look); i >= 0 {
				errs = append(errs, fmt.Errorf("the canary in %s can be read in %s: ...%s", place, where, text[max(0, i-40):min(len(text), i+len(look)+20)]))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// SeenBelow is Seen for the names and the contents of all files below a directory.
func (c *Canaries) SeenBelow(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		return errors.Join(err, c.Seen(path, path+"\n"+string(data)))
	})
}

// beginning is as much of a secret as nobody may see, where a text was cut.
const beginning = 14

// looks are the ways in which a secret can be read: as it is, with the escapes of
// URLs, JSON and Go, in base64 of both alphabets, alone and within a longer text; the
// beginning of each; and one of several lines also line by line, but for the armour
// of PEM.
func looks(value string) (all []string) {
	parts := []string{value}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); line != value && len(line) >= 16 && !strings.HasPrefix(line, "-----") {
			parts = append(parts, line)
		}
	}
	for _, part := range parts {
		quoted, _ := json.Marshal(part)
		all = append(all, part, url.QueryEscape(part), url.PathEscape(part), strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(part), `"`))
	}
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			// Three bytes are four characters: what stands around the secret shifts
			// it, and shares its first and last character.
			text := alphabet.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
			all = append(all, text[(before*4+2)/3:len(text)-1])
		}
	}
	for _, whole := range all {
		if len(whole) > beginning && !strings.HasPrefix(value, "-----") {
			all = append(all, whole[:beginning])
		}
	}
	return all
}
