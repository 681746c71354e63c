package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// dripping is a body that comes in pieces, one each pause, until the request ends.
type dripping struct {
	ctx   context.Context
	piece int
	pause time.Duration
	left  int // bytes; endless when negative
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(d.pause):
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
	n := min(len(p), d.piece)
	if d.left > 0 {
		n = min(n, d.left)
		d.left -= n
	}
	return copy(p, bytes.Repeat([]byte("x"), n)), nil
}

func (d *dripping) Close() error { return nil }

// drips is a server without a network that answers so.
func drips(body dripping) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		body.ctx = r.Context()
		return &http.Response{StatusCode: 200, Body: &body, Request: r}, nil
	})
}

func TestSteady(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		body  dripping
		still time.Duration // when it is given up; 0: it is read to its end
	}{
		{"a byte a second, endless", dripping{piece: 1, pause: time.Second, left: -1}, 30 * time.Second},
		{"silence", dripping{piece: 1, pause: time.Hour, left: 1}, 30 * time.Second},
		{"a byte a second, and soon over", dripping{piece: 1, pause: time.Second, left: 20}, 0},
		{"slow, small and just in time", dripping{piece: 100, pause: time.Second, left: 2900}, 0},
		{"a large one on a slow line", dripping{piece: 1 << 10, pause: time.Second, left: 20 << 20}, 0},
		{"a large one with pauses", dripping{piece: 8 << 10, pause: 14 * time.Second, left: 20 << 20}, 0},
		{"too little at a time", dripping{piece: 1 << 10, pause: 2 * time.Second, left: -1}, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://registry.example.com/", nil)
				began := time.Now()
				resp, err := (&Steady{Base: drips(tt.body)}).RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				n, err := io.Copy(io.Discard, resp.Body)
				if tt.still == 0 {
					if err != nil || n != int64(tt.body.left) {
						t.Errorf("%d bytes, %v", n, err)
					}
					return
				}
				var timeout interface{ Timeout() bool }
				if !errors.Is(err, ErrStill) || !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(began) != tt.still {
					t.Errorf("given up after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}

// The time that the reader takes is not the server's.
func TestSteadyReaderMayBeSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://registry.example.com/", nil)
		resp, err := (&Steady{Base: drips(dripping{piece: 10, pause: time.Second, left: 100})}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for b := make([]byte, 10); err == nil; time.Sleep(time.Hour) {
			_, err = resp.Body.Read(b)
		}
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

// Over a real connection, in both versions of HTTP, a read that waits is woken up.
func TestSteadyWakesTheReader(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		gone := make(chan struct{})
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
		}))
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		client := server.Client()
		client.Transport = &Steady{Base: client.Transport, Window: 50 * time.Millisecond}
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if string(got) != "x" || !errors.Is(err, ErrStill) {
			t.Errorf("%s: read %q, %v", resp.Proto, got, err)
		}
		resp.Body.Close()
		<-gone // the connection was let go of
	}
}

// The end of the caller's own context stays what it is.
func TestSteadyCallerGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://registry.example.com/", nil)
		resp, err := (&Steady{Base: drips(dripping{piece: 1, pause: time.Second, left: -1})}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
