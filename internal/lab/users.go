package lab

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Users are people at work with a gateway: they ask for code completions, one after
// the other, and hold no token. To be told so is to be served.
type Users struct {
	URL   string        // the gateway, "http://127.0.0.1:5052"
	Every time.Duration // pause between questions; 0 is 100ms
	Wait  time.Duration // patience with one answer; 0 is 5s

	mu    sync.Mutex
	tally Tally
}

// Tally is what the users met so far.
type Tally struct {
	Served int
	Failed int
	Last   string // the last failure, in words
	// Outage is the longest time from a failure to the next success.
	Outage time.Duration
}

// Tally is what the users met so far.
func (u *Users) Tally() Tally {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.tally
}

// Run asks until ctx ends. Every question has a connection of its own, so that no
// old one hides a gateway that takes no new ones.
func (u *Users) Run(ctx context.Context) {
	every, wait := u.Every, u.Wait
	if every == 0 {
		every = 100 * time.Millisecond
	}
	if wait == 0 {
		wait = 5 * time.Second
	}
	client := &http.Client{Timeout: wait, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var since time.Time // of the present outage
	for {
		started := time.Now()
		problem := u.ask(ctx, client)
		if ctx.Err() != nil {
			return
		}
		if problem != "" && since.IsZero() {
			since = started
		}
		u.count(problem, since)
		if problem == "" {
			since = time.Time{}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (u *Users) count(problem string, since time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if problem == "" {
		u.tally.Served++
	} else {
		u.tally.Failed++
		u.tally.Last = problem
	}
	if !since.IsZero() {
		u.tally.Outage = max(u.tally.Outage, time.Since(since))
	}
}

// ask returns what went wrong; "" is an answer of a gateway.
func (u *Users) ask(ctx context.Context, client *http.Client) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.URL+"/v2/code/completions", strings.NewReader(`{"prompt_version":1}`))
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)); err != nil {
		return err.Error()
	}
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusUnprocessableEntity: // without authentication, and with it switched off
		return ""
	}
	return response.Status
}
