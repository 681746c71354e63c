//go:build kubernetes

package kubernetes

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fresh opens a connection for every request, so that no old one hides a gateway
// that takes no new ones.
var fresh = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask is one request of a user: GET looks at the health, POST asks for code. It
// returns what went wrong; "" is an answer of a gateway. To be told that a token is
// missing is to be served.
func ask(ctx context.Context, client *http.Client, method, url string) string {
	path, want, body := "/monitoring/healthz", http.StatusOK, io.Reader(nil)
	if method == http.MethodPost {
		path, want, body = "/v2/code/completions", http.StatusUnauthorized, strings.NewReader(`{"prompt_version":1}`)
	}
	request, err := http.NewRequestWithContext(ctx, method, url+path, body)
	if err != nil {
		return err.Error()
	}
	answer, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return err.Error()
	case answer.StatusCode != want:
		return method + ": " + answer.Status + ": " + firstLine(text)
	}
	return ""
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// users are several people at work at the same time, without a pause.
type users struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	served int
	failed []failure
}

type failure struct {
	at   time.Time
	text string
}

// work sends n users who look and n who ask for code. They stop with the test, or
// when rest is called.
func work(t testing.TB, url string, n int) *users {
	ctx, cancel := context.WithCancel(context.Background())
	u := &users{stop: cancel}
	for i := range 2 * n {
		method := http.MethodGet
		if i%2 == 1 {
			method = http.MethodPost
		}
		u.done.Go(func() {
			for ctx.Err() == nil {
				problem := ask(ctx, fresh, method, url)
				if ctx.Err() == nil {
					u.count(problem)
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	t.Cleanup(func() { u.rest() })
	return u
}

func (u *users) count(problem string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if problem == "" {
		u.served++
		return
	}
	u.failed = append(u.failed, failure{time.Now(), problem})
}

// rest ends the work and tells how it went.
func (u *users) rest() (served int, failed []failure) {
	u.stop()
	u.done.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.served, u.failed
}

// describe counts failures by their text.
func describe(failed []failure) string {
	counts := make(map[string]int)
	for _, f := range failed {
		counts[f.text]++
	}
	var lines []string
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, "  "+strconv.Itoa(counts[text])+"x "+text)
	}
	return strings.Join(lines, "\n")
}

// allServed ends the work; not one request may have failed.
func (u *users) allServed(t testing.TB) {
	t.Helper()
	served, failed := u.rest()
	if len(failed) > 0 || served < 10 {
		t.Errorf("%d requests served, %d failed, the first at %s:\n%s", served, len(failed), first(failed), describe(failed))
	}
	t.Logf("%d requests served", served)
}

func first(failed []failure) string {
	if len(failed) == 0 {
		return "no time"
	}
	return failed[0].at.Format("15:04:05.000")
}
