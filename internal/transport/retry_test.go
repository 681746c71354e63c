package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// script is a server without a network, so that its time can be a bubble's.
type script struct {
	answers []any // an int is a status, an http.Header a 429 with it, an error is lost
	seen    []time.Duration
	bodies  []string
	start   time.Time
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	if s.start.IsZero() {
		s.start = time.Now()
	}
	s.seen = append(s.seen, time.Since(s.start))
	if req.Body != nil {
		body, _ := io.ReadAll(req.Body)
		s.bodies = append(s.bodies, string(body))
		req.Body.Close()
	}
	answer := s.answers[min(len(s.seen), len(s.answers))-1]
	resp := &http.Response{Header: http.Header{}, Body: io.NopCloser(strings.NewReader("body")), Request: req}
	switch a := answer.(type) {
	case error:
		return nil, a
	case http.Header:
		resp.StatusCode, resp.Header = 429, a
	case int:
		resp.StatusCode = a
	}
	return resp, nil
}

func full(d time.Duration) time.Duration { return d }

func TestRetryWhatIsRepeated(t *testing.T) {
	t.Parallel()
	reset := errors.New("connection reset by peer")
	for _, tt := range []struct {
		name     string
		method   string
		marked   bool
		answers  []any
		attempts int
		status   int // 0: an error
	}{
		{"first answer", "GET", false, []any{200}, 1, 200},
		{"busy once", "GET", false, []any{503, 200}, 2, 200},
		{"busy in all its ways", "HEAD", false, []any{429, 502, 504, 200}, 4, 200},
		{"lost connection", "GET", false, []any{reset, 200}, 2, 200},
		{"bounded, answers", "GET", false, []any{502}, 4, 502},
		{"bounded, errors", "GET", false, []any{reset}, 4, 0},
		{"fault of the server", "GET", false, []any{500, 200}, 2, 200},
		{"unauthorised", "GET", false, []any{401, 200}, 1, 401},
		{"forbidden", "GET", false, []any{403, 200}, 1, 403},
		{"not found", "GET", false, []any{404, 200}, 1, 404},
		{"post", "POST", false, []any{503, 200}, 1, 503},
		{"post, lost", "POST", false, []any{reset, 200}, 1, 0},
		{"post, safe to repeat", "POST", true, []any{503, reset, 200}, 3, 200},
		{"delete", "DELETE", false, []any{503, 200}, 1, 503},
		{"no such name", "GET", false, []any{&net.DNSError{Err: "no such host", IsNotFound: true}}, 1, 0},
		{"names do not work now", "GET", false, []any{&net.DNSError{Err: "timeout", IsTimeout: true}, 200}, 2, 200},
		{"cancelled", "GET", false, []any{context.Canceled}, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.marked {
					ctx = Idempotent(ctx)
				}
				server := &script{answers: tt.answers}
				req, _ := http.NewRequestWithContext(ctx, tt.method, "https://gitlab.example.com/", strings.NewReader("payload"))
				resp, err := (&Retry{Base: server}).RoundTrip(req)
				status := 0
				if err == nil {
					status = resp.StatusCode
				}
				if status != tt.status || len(server.seen) != tt.attempts {
					t.Errorf("status %d after %d attempts, want %d after %d (error %v)", status, len(server.seen), tt.status, tt.attempts, err)
				}
				for i, body := range server.bodies {
					if body != "payload" {
						t.Errorf("attempt %d sent body %q", i+1, body)
					}
				}
			})
		})
	}
}

func TestRetryBodyThatCannotBeReadTwice(t *testing.T) {
	t.Parallel()
	server := &script{answers: []any{503, 200}}
	req, _ := http.NewRequestWithContext(Idempotent(t.Context()), "PUT", "https://gitlab.example.com/", io.NopCloser(strings.NewReader("x")))
	resp, err := (&Retry{Base: server}).RoundTrip(req)
	if err != nil || resp.StatusCode != 503 || len(server.seen) != 1 {
		t.Errorf("got %v, %v after %d attempts; want the 503 after one", resp, err, len(server.seen))
	}
}

func TestRetryWaits(t *testing.T) {
	t.Parallel()
	after := func(s string) http.Header { return http.Header{"Retry-After": {s}} }
	for _, tt := range []struct {
		name     string
		retry    Retry
		deadline time.Duration
		answers  func() []any
		want     []time.Duration // when each attempt was made
	}{
		{name: "doubling", answers: func() []any { return []any{503} },
			want: []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond}},
		{name: "bounded", retry: Retry{Attempts: 9, MaxWait: time.Second}, answers: func() []any { return []any{503, 503, 503, 503, 200} },
			want: []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond, 3500 * time.Millisecond}},
		{name: "seconds", answers: func() []any { return []any{after("7"), 200} },
			want: []time.Duration{0, 7 * time.Second}},
		{name: "date", answers: func() []any {
			return []any{after(time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)), 200}
		}, want: []time.Duration{0, 20 * time.Second}},
		{name: "zero seconds", answers: func() []any { return []any{after("0"), 200} },
			want: []time.Duration{0, 500 * time.Millisecond}},
		{name: "a date gone by", answers: func() []any { return []any{after("Fri, 01 Jan 1999 00:00:00 GMT"), 200} },
			want: []time.Duration{0, 500 * time.Millisecond}},
		{name: "nonsense", answers: func() []any { return []any{after("soon"), 200} },
			want: []time.Duration{0, 500 * time.Millisecond}},
		{name: "longer than any wait", answers: func() []any { return []any{after("31"), 200} },
			want: []time.Duration{0}},
		{name: "longer, with a deadline that allows it", deadline: 2 * time.Minute, answers: func() []any { return []any{after("60"), 200} },
			want: []time.Duration{0, time.Minute}},
		{name: "past the deadline", deadline: 5 * time.Second, answers: func() []any { return []any{after("6"), 200} },
			want: []time.Duration{0}},
		{name: "too large for a number", deadline: time.Hour, answers: func() []any { return []any{after("99999999999999999999999"), 200} },
			want: []time.Duration{0}},
		{name: "own wait past the deadline", deadline: time.Second, answers: func() []any { return []any{503} },
			want: []time.Duration{0, 500 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				server := &script{answers: tt.answers()}
				req, _ := http.NewRequestWithContext(ctx, "GET", "https://gitlab.example.com/", nil)
				retry := &Retry{Base: server, Attempts: tt.retry.Attempts, MaxWait: tt.retry.MaxWait, Jitter: full}
				resp, err := retry.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(resp.Body); string(body) != "body" {
					t.Errorf("the last answer came without its body: %q", body)
				}
				if fmt.Sprint(server.seen) != fmt.Sprint(tt.want) {
					t.Errorf("attempts at %v, want %v", server.seen, tt.want)
				}
			})
		})
	}
}

func TestRetryJitterStaysInBounds(t *testing.T) {
	t.Parallel()
	for range 200 {
		d, ok := (&Retry{}).wait(t.Context(), nil, 3)
		if !ok || d < time.Second || d > 2*time.Second {
			t.Fatalf("third wait %v, want 1s to 2s", d)
		}
	}
}

func TestRetryCancelEndsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		server := &script{answers: []any{http.Header{"Retry-After": {"20"}}}}
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://gitlab.example.com/", nil)
		start := time.Now()
		_, err := (&Retry{Base: server}).RoundTrip(req)
		if !errors.Is(err, context.Canceled) || time.Since(start) != 3*time.Second {
			t.Errorf("error %v after %v, want context.Canceled after 3s", err, time.Since(start))
		}
	})
}

func TestRetryDroppedConnection(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if count.Add(1) < 3 {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "ok")
	}))
	defer server.Close()
	base, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer base.CloseIdleConnections()
	quick := func(time.Duration) time.Duration { return time.Millisecond }
	client := &http.Client{Transport: &Retry{Base: base, Jitter: quick}}
	resp, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "ok" {
		t.Errorf("body %q", body)
	}

	server.CloseClientConnections()
	server.Close()
	_, err = client.Get(server.URL)
	if err == nil || !strings.Contains(err.Error(), "after 4 attempts: ") {
		t.Errorf("nobody listens: error %v does not count the attempts", err)
	}
}

func TestRetryUntrustedCertificateIsFinal(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			count.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	base, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&http.Client{Transport: &Retry{Base: base}}).Get(server.URL)
	if err == nil || count.Load() != 1 {
		t.Errorf("%d connections (error %v), want 1", count.Load(), err)
	}
}

func TestRetryLogTellsNoQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://gitlab.example.com/api?private_token=glpat-secret", nil)
		_, _ = (&Retry{Base: &script{answers: []any{503, 200}}, Log: slog.New(slog.NewTextHandler(&log, nil))}).RoundTrip(req)
		if got := log.String(); strings.Contains(got, "glpat") || !strings.Contains(got, "host=gitlab.example.com path=/api status=503 attempt=1 of=4 wait=") {
			t.Errorf("log line %q", got)
		}
	})
}
