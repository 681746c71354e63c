// Package crowd is a gateway's users: what one of them asks, and several who ask all
// the time while something is done to the gateway.
package crowd

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// fresh opens a connection for every request, so that no old one hides a gateway
// that takes no new ones.
var fresh = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Ask is one request of a user: GET looks at the health, POST asks for code. It
// returns what went wrong; "" is an answer of a gateway. To be told that a token is
// missing is to be served.
func Ask(ctx context.Context, method, url string) string {
	path, want, body := "/monitoring/healthz", http.StatusOK, io.Reader(nil)
	if method == http.MethodPost {
		path, want, body = "/v2/code/completions", http.StatusUnauthorized, strings.NewReader(`{"prompt_version":1}`)
	}
	request, err := http.NewRequestWithContext(ctx, method, url+path, body)
	if err != nil {
		return err.Error()
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := fresh.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return err.Error()
	case answer.StatusCode != want:
		line, _, _ := strings.Cut(string(text), "\n")
		return method + ": " + answer.Status + ": " + line
	}
	return ""
}

// Answers reports whether a gateway is healthy, or is so within a time.
func Answers(ctx context.Context, url string, within time.Duration) bool {
	for until := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		if Ask(ctx, http.MethodGet, url) == "" {
			return true
		}
		if time.Now().After(until) {
			return false
		}
	}
}
