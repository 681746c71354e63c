package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"aigw-ci/internal/lab/wire"
)

// canaries are secrets that nobody may ever see, by the place where they were put.
// How a secret can look is written down here a second time: what finds them shares
// nothing with what hides them.
type canaries struct {
	mu    sync.Mutex
	known map[string]string
}

// plant makes one more canary known. What is shorter than any secret is none.
func (c *canaries) plant(place, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]string)
	}
	if len(value) >= 12 {
		c.known[place] = value
	}
}

// seen names the canaries that can be read in a text.
func (c *canaries) seen(where, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for place, value := range c.known {
		for _, look := range looks(value) {
			if i := strings.Index(text, look); i >= 0 {
				errs = append(errs, fmt.Errorf("the canary in %s can be read in %s: ...%s", place, where, text[max(0, i-40):min(len(text), i+len(look)+20)]))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// seenBelow is seen for the names and the contents of all files below a directory.
func (c *canaries) seenBelow(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignore(err, fs.ErrNotExist)
		}
		data, err := os.ReadFile(path)
		return errors.Join(err, c.seen(path, path+"\n"+string(data)))
	})
}

// looks are the ways in which a secret can be read: as it is, with the escapes of
// URLs, JSON and Go, in base64 of every kind, alone and within a longer text; and one
// of several lines also line by line, but for the armour of PEM.
func looks(value string) (all []string) {
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); line != value && len(line) >= 16 && !strings.HasPrefix(line, "-----") {
			all = append(all, line)
		}
	}
	quoted, _ := json.Marshal(value)
	all = append(all, value, url.QueryEscape(value), url.PathEscape(value), strings.Trim(string(quoted), `"`))
	all = append(all, strings.Trim(strconv.Quote(value), `"`))
	if len(value) >= 20 { // a text that was cut off may end with the first part of it
		all = append(all, value[:len(value)*2/3])
	}
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			// Three bytes are four characters: what stands around the secret shifts
			// it, and shares its first and last character.
			text := alphabet.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
			text = text[(before*4+2)/3 : len(text)-1]
			all = append(all, text)
			if len(value) >= 20 {
				all = append(all, text[:len(text)*2/3])
			}
		}
	}
	return all
}

// tokens is what GitLab hands out, in the token of an answer.
var tokens = regexp.MustCompile(`"(?:access_)?token":"([^"]+)"`)

// eavesdrop plants every token that a stand-in hands out at a path. With a media type
// the answer pretends to be something else, which a client might quote.
func (c *canaries) eavesdrop(path, media string) wire.Fault {
	return wire.Fault{Path: path, Serve: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := wire.Capture(next, r)
			if media != "" {
				answer.Header.Set("Content-Type", media)
			}
			for _, m := range tokens.FindAllSubmatch(answer.Body, -1) {
				c.plant("an answer of "+path, string(m[1]))
			}
			answer.WriteTo(w)
		})
	}}
}

// parrot is somebody in between who repeats all that he is told, again and again, in
// an answer of this status: as the message of an API, and in a header.
//
// Each answer begins one word later than the one before, so that whoever shortens it
// cuts a secret in two at one time or another.
func parrot(status int) wire.Fault {
	var asked atomic.Int32
	return wire.Fault{Serve: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var once, told strings.Builder
			for name, values := range r.Header {
				if strings.Contains(name, "Auth") || strings.Contains(name, "Token") {
					fmt.Fprintf(&once, "%s: %s ", name, strings.Join(values, ", "))
				}
			}
			once.WriteString(".")
			told.WriteString(strings.Repeat("parrot ", int(asked.Add(1))))
			for told.Len() < 4000 {
				told.WriteString(once.String())
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Told", told.String())
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"message": told.String(), "errors": []any{map[string]string{"code": "DENIED", "message": told.String()}},
			})
		})
	}}
}
