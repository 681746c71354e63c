package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"

	"aigw-ci/internal/lab/wire"
)

// tokens is what GitLab hands out, in the token of an answer.
var tokens = regexp.MustCompile(`"(?:access_)?token":"([^"]+)"`)

// eavesdrop plants every token that a stand-in hands out at a path. With a media type
// the answer pretends to be something else, which a client might quote.
func (h *hunt) eavesdrop(path, media string) wire.Fault {
	return wire.Fault{Path: path, Serve: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := wire.Capture(next, r)
			if media != "" {
				answer.Header.Set("Content-Type", media)
			}
			for _, m := range tokens.FindAllSubmatch(answer.Body, -1) {
				h.Plant("an answer of "+path, string(m[1]))
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
