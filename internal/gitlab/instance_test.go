package gitlab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	"aigw-ci/internal/secret"
)

const token = secret.Value("glpat-0123456789abcdefghij")

// instance is a GitLab that is reached without a network, so that it can live in a
// synctest bubble: real HTTP on both sides of net.Pipe.
type instance struct {
	conns chan net.Conn
	done  chan struct{}

	mu     sync.Mutex
	dialed []string // every host:port that was connected to
	paths  []string // every request, in order
}

// serve answers for every host, until the test ends.
func serve(t *testing.T, handler http.HandlerFunc) (*instance, *http.Transport) {
	t.Helper()
	i := &instance{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.paths = append(i.paths, r.URL.Path)
		i.mu.Unlock()
		handler(w, r)
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(i) })
	network := &http.Transport{DialContext: i.dial}
	t.Cleanup(func() {
		network.CloseIdleConnections()
		_ = server.Close()
		wg.Wait()
	})
	return i, network
}

func (i *instance) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	i.mu.Lock()
	i.dialed = append(i.dialed, addr)
	i.mu.Unlock()
	here, there := net.Pipe()
	select {
	case i.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (i *instance) Accept() (net.Conn, error) {
	select {
	case c := <-i.conns:
		return c, nil
	case <-i.done:
		return nil, net.ErrClosed
	}
}

func (i *instance) Close() error {
	close(i.done)
	return nil
}

func (i *instance) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// answer is a handler that always says the same.
func answer(status int, media, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for h := 0; h+1 < len(header); h += 2 {
			w.Header().Set(header[h], header[h+1])
		}
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// metadataOf is a GitLab that knows the token, as docs.gitlab.com/api/metadata says.
func metadataOf(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Private-Token") != token.Reveal() {
			answer(401, "application/json", `{"message":"401 Unauthorized"}`)(w, r)
			return
		}
		if r.Header.Get("Accept") != "application/json" {
			answer(406, "text/plain", "")(w, r)
			return
		}
		answer(200, "application/json", `{"version":"`+version+`","revision":"ceb07b24cb0",`+
			`"kas":{"enabled":true,"externalUrl":null,"version":null},"enterprise":true}`)(w, r)
	}
}

func client(t *testing.T, network http.RoundTripper, change func(*Options)) *Client {
	t.Helper()
	o := Options{URL: "http://gitlab.example.com", Token: token, Transport: network}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
