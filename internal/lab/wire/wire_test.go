package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

const hello = "hello, world"

func greet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, hello)
}

// get asks a server that has the fault once, then asks again.
func get(t *testing.T, f Fault) (first *http.Response, body []byte, err error) {
	t.Helper()
	var faults Switch
	faults.Set(f.For(1))
	server := httptest.NewServer(faults.Wrap(http.HandlerFunc(greet)))
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(server.URL + "/path?q=1")
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		body, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	}
	again, errAgain := client.Get(server.URL)
	if errAgain != nil {
		t.Fatalf("after the fault: %v", errAgain)
	}
	defer func() { _ = again.Body.Close() }()
	if well, _ := io.ReadAll(again.Body); string(well) != hello {
		t.Errorf("after the fault: %q", well)
	}
	return response, body, err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		r, body, err := get(t, Answer("a", 429, http.Header{"Retry-After": {"7"}}, "slowly"))
		if err != nil || r.StatusCode != 429 || r.Header.Get("Retry-After") != "7" || string(body) != "slowly" {
			t.Errorf("%v %q %v", r, body, err)
		}
	})
	t.Run("redirect", func(t *testing.T) {
		t.Parallel()
		r, _, err := get(t, Redirect("r", "http://elsewhere.example.com"))
		if err != nil || r.StatusCode != 302 || r.Header.Get("Location") != "http://elsewhere.example.com/path?q=1" {
			t.Errorf("%v %v", r, err)
		}
	})
	t.Run("dropped", func(t *testing.T) {
		t.Parallel()
		if r, _, err := get(t, Dropped()); err == nil {
			t.Errorf("got %v, want a connection without an answer", r)
		}
	})
	t.Run("truncated", func(t *testing.T) {
		t.Parallel()
		_, body, err := get(t, Truncated())
		if !errors.Is(err, io.ErrUnexpectedEOF) || string(body) != hello[:len(hello)/2] {
			t.Errorf("%q, %v", body, err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		const interval = 10 * time.Millisecond
		start := time.Now()
		_, body, err := get(t, Slow(interval))
		if err != nil || string(body) != hello || time.Since(start) < interval*time.Duration(len(hello)) {
			t.Errorf("%q, %v after %v", body, err, time.Since(start))
		}
	})
	t.Run("endless", func(t *testing.T) {
		t.Parallel()
		_, body, err := get(t, Endless("application/json", `{"a":"`))
		if err != nil || len(body) != 1<<20 || !bytes.HasPrefix(body, []byte(`{"a":"aaa`)) {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	})
}

func TestHangingEndsWithTheClient(t *testing.T) {
	t.Parallel()
	var faults Switch
	faults.Set(Hanging())
	server := httptest.NewServer(faults.Wrap(http.HandlerFunc(greet)))
	defer server.Close() // waits for the handler
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := http.DefaultClient.Do(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", r, err)
	}
}

func TestSwitchIsAScript(t *testing.T) {
	t.Parallel()
	var faults Switch
	status := func(n int) Fault { return Answer("", n, nil, "") }
	faults.Set(status(429).For(2), status(502).On("GET", "/tags/").For(1), status(503).On("HEAD", ""))
	h := faults.Wrap(http.HandlerFunc(greet))
	var got []int
	for _, ask := range []string{"GET /a", "POST /tags/x", "GET /a", "GET /tags/x", "GET /tags/x", "HEAD /a", "HEAD /a"} {
		method, path, _ := strings.Cut(ask, " ")
		got = append(got, Capture(h, httptest.NewRequest(method, path, nil)).Status)
	}
	if want := []int{429, 429, 200, 502, 200, 503, 503}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	faults.Set()
	if a := Capture(h, httptest.NewRequest("HEAD", "/a", nil)); a.Status != 200 {
		t.Errorf("cleared: %d", a.Status)
	}
}

func TestLogKeepsNoSecrets(t *testing.T) {
	t.Parallel()
	var l Log
	h := l.Wrap(http.HandlerFunc(greet))
	for _, header := range [][2]string{{"", ""}, {"Private-Token", "s3cret"}, {"Job-Token", "s3cret"}, {"Authorization", "Bearer s3cret"}, {"Authorization", "Basic s3cret"}} {
		r := httptest.NewRequest("GET", "/x?n=1", nil)
		if header[0] != "" {
			r.Header.Set(header[0], header[1])
		}
		Capture(h, r)
	}
	var kinds []string
	for _, e := range l.Entries() {
		kinds = append(kinds, e.Auth)
		if e.Status != 200 || e.Bytes != int64(len(hello)) || e.URI != "/x?n=1" {
			t.Errorf("%+v", e)
		}
	}
	if want := []string{"", "Private-Token", "Job-Token", "Bearer", "Basic"}; !slices.Equal(kinds, want) {
		t.Errorf("got %q, want %q", kinds, want)
	}
	if l.Requests() != 5 || l.Bytes() != 5*int64(len(hello)) || l.Count("GET", "/x") != 5 || l.Count("HEAD", "") != 0 {
		t.Errorf("counted %d requests, %d bytes", l.Requests(), l.Bytes())
	}
	l.Reset()
	if l.Requests() != 0 || len(l.Entries()) != 0 {
		t.Error("Reset left something")
	}
}

func TestListenOnSeveralHosts(t *testing.T) {
	t.Parallel()
	listeners, err := Listen(t.Context(), "127.0.0.1:0", "127.0.0.2", "127.0.0.3")
	if err != nil {
		t.Fatal(err)
	}
	server := Serve(http.HandlerFunc(greet), nil, listeners...)
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		r, err := http.Get("http://" + net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", listeners[2].Addr().String()); err == nil {
		t.Error("listens after Close")
	}
	if _, err := Listen(t.Context(), "no address"); err == nil {
		t.Error("no error for an address without a port")
	}
}
