package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	defaultAttempts = 4
	defaultMaxWait  = 30 * time.Second
	firstWait       = 500 * time.Millisecond
)

// Retry sends a request again when the answer was lost or the server asked for
// patience: a dropped or refused connection, a timeout, 429, 500, 502, 503, 504.
// Everything else is an answer and is returned as it came, 401, 403 and 404 among
// it.
//
// Only GET and HEAD are repeated, and other methods whose context was marked by
// [Idempotent]. A body that breaks off while the caller reads it is not seen here.
type Retry struct {
	Base     http.RoundTripper
	Attempts int // in all, the first included; default 4

	// MaxWait bounds each wait between two attempts; default 30 s. A longer
	// Retry-After is still obeyed when the request has a deadline that leaves room
	// for it: whoever set the deadline has said how long is too long.
	MaxWait time.Duration

	// Jitter picks a wait of at most d, so that many jobs do not come back at the
	// same moment. Default: at random, at least half of d.
	Jitter func(d time.Duration) time.Duration

	Log *slog.Logger // nil discards
}

var _ http.RoundTripper = (*Retry)(nil)

type idempotent struct{}

// Idempotent marks the requests made with the returned context as safe to send
// twice, whatever their method.
func Idempotent(ctx context.Context) context.Context {
	return context.WithValue(ctx, idempotent{}, true)
}

// RoundTrip sends req until there is an answer worth returning, the attempts are
// used up, or the next wait would end after the context's deadline. Then the last
// answer or error is returned.
func (r *Retry) RoundTrip(req *http.Request) (*http.Response, error) {
	attempts := r.Attempts
	if attempts <= 0 {
		attempts = defaultAttempts
	}
	if !repeatable(req) {
		attempts = 1
	}
	for attempt := 1; ; attempt++ {
		resp, err := r.send(req, attempt)
		worth := err != nil && lost(err) || err == nil && patience(resp.StatusCode)
		if !worth || attempt >= attempts {
			return resp, counted(err, attempt)
		}
		wait, ok := r.wait(req.Context(), resp, attempt)
		if !ok {
			return resp, counted(err, attempt)
		}
		r.tell(req, resp, err, attempt, attempts, wait)
		if resp != nil {
			discard(resp.Body)
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// send makes one attempt. Each has a request of its own, because a round tripper
// may not change the caller's and a body can be read only once.
func (r *Retry) send(req *http.Request, attempt int) (*http.Response, error) {
	if attempt == 1 {
		return r.Base.RoundTrip(req)
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("reading the request's body again: %w", err)
		}
		again.Body = body
	}
	return r.Base.RoundTrip(again)
}

// repeatable reports whether sending req twice does the same as sending it once,
// and whether it can be sent twice at all.
func repeatable(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	marked, _ := req.Context().Value(idempotent{}).(bool)
	return marked || req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == ""
}

// patience reports whether status asks to come back later. 500 does not: it is a
// fault in answering this very request.
func patience(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// lost reports whether err may be gone next time. The list is of those that will
// not: net/http has no complete list of the others, HTTP/2's least of all.
func lost(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		notTLS      tls.RecordHeaderError
		dns         *net.DNSError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &notTLS):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	}
	return true
}

// wait is how long to wait after the attempt of that number; ok is false when
// there is no time for it.
func (r *Retry) wait(ctx context.Context, resp *http.Response, attempt int) (d time.Duration, ok bool) {
	limit := r.MaxWait
	if limit <= 0 {
		limit = defaultMaxWait
	}
	jitter := r.Jitter
	if jitter == nil {
		jitter = func(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
	}
	d = jitter(min(firstWait<<min(attempt-1, 16), limit))

	deadline, bounded := ctx.Deadline()
	if asked, yes := retryAfter(resp); yes && asked > d {
		if asked > limit && !bounded {
			return 0, false
		}
		d = asked
	}
	if bounded && time.Until(deadline) <= d {
		return 0, false
	}
	return d, true
}

// retryAfter reads a Retry-After header, in seconds or as a date (RFC 9110,
// section 10.2.3). Anything else is as if it were not there.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	if resp == nil {
		return 0, false
	}
	value := resp.Header.Get("Retry-After")
	// 32 bits of seconds are 136 years; beyond, ParseUint returns the largest value.
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return time.Until(date), true
	}
	return 0, false
}

// tell logs why the next attempt is made. The query is left out: some carry tokens.
func (r *Retry) tell(req *http.Request, resp *http.Response, err error, attempt, attempts int, wait time.Duration) {
	if r.Log == nil {
		return
	}
	cause := slog.Any("error", err)
	if resp != nil {
		cause = slog.Int("status", resp.StatusCode)
	}
	r.Log.LogAttrs(req.Context(), slog.LevelInfo, "no answer yet, trying again",
		slog.String("method", req.Method), slog.String("host", req.URL.Host), slog.String("path", req.URL.Path),
		cause, slog.Int("attempt", attempt), slog.Int("of", attempts), slog.Duration("wait", wait.Round(time.Millisecond)))
}

// discard reads what is left of a small body, so that its connection can be used
// again, and closes it.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// counted says in err that it is not the first of its kind.
func counted(err error, attempts int) error {
	if err == nil || attempts == 1 {
		return err
	}
	return fmt.Errorf("after %d attempts: %w", attempts, err)
}
