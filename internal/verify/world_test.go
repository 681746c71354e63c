package verify

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// stub is a gateway as a target would show it. What is nil answers like a gateway
// that runs well.
type stub struct {
	endpoint func(context.Context) (upgrade.Endpoint, error)
	state    func(context.Context) (upgrade.State, error)
	logs     func(context.Context) ([]string, error)
	dialFrom func(ctx context.Context, addr string) (net.Conn, error)
}

func (s *stub) Endpoint(ctx context.Context) (upgrade.Endpoint, error) {
	if s.endpoint == nil {
		return upgrade.Endpoint{}, errors.New("no road")
	}
	return s.endpoint(ctx)
}

func (s *stub) State(ctx context.Context) (upgrade.State, error) {
	if s.state == nil {
		return upgrade.State{Status: upgrade.Running, Started: started, Digests: []string{digest}}, ctx.Err()
	}
	return s.state(ctx)
}

func (s *stub) Logs(ctx context.Context, _ int) ([]string, error) {
	if s.logs == nil {
		return []string{"INFO: Application startup complete."}, nil
	}
	return s.logs(ctx)
}

func (s *stub) DialFrom(ctx context.Context, addr string) (net.Conn, error) {
	if s.dialFrom == nil {
		return nil, errors.ErrUnsupported
	}
	return s.dialFrom(ctx, addr)
}

func (s *stub) Evidence(context.Context) ([]upgrade.File, error) { return nil, nil }

// digest is what a stub runs; started is when it started, well before any test.
const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

var started = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)

func image(tag string) upgrade.Image {
	return upgrade.Image{Repository: "registry.example.com/model-gateway", Tag: tag, Digest: digest}
}

func release(t *testing.T, v string) upgrade.Release {
	t.Helper()
	parsed, err := version.ParseGitLab(v)
	if err != nil {
		t.Fatal(err)
	}
	return upgrade.Release{URL: "https://gitlab.example.com", Version: parsed, Source: "api"}
}

// gatewayAPI answers as a gateway of 18.4 and later does. Entries of change, by
// path, take the place of an answer.
func gatewayAPI(change map[string]http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := change[r.URL.Path]; h != nil {
			h(w, r)
			return
		}
		switch r.URL.Path {
		case "/monitoring/healthz":
			respond(200, "application/json", "{}")(w, r)
		case "/v1/models/definitions":
			respond(200, "application/json", `{"models":[{"name":"a"},{"name":"b"}],"unit_primitives":[]}`)(w, r)
		default:
			respond(401, "application/json", `{"error":"No authorization header presented"}`)(w, r)
		}
	})
}

func respond(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// serve runs a handler on a real port and returns a stub that leads there.
func serve(t *testing.T, h http.Handler) *stub {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return at(upgrade.Endpoint{HTTP: server.URL, Via: "container address"})
}

func at(road upgrade.Endpoint) *stub {
	return &stub{endpoint: func(context.Context) (upgrade.Endpoint, error) { return road, nil }}
}

// quick are options for tests on real time: one look decides.
func quick() Options {
	return Options{Timeout: time.Millisecond, Successes: 1, Interval: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
}

// judge judges, and holds every judgement to what all of them promise.
func judge(t *testing.T, g *Gate, s upgrade.Subject) map[string]upgrade.Check {
	t.Helper()
	return judgeWith(t.Context(), t, g, s)
}

func judgeWith(ctx context.Context, t *testing.T, g *Gate, s upgrade.Subject) map[string]upgrade.Check {
	t.Helper()
	if s.Stage == "" {
		s.Stage = upgrade.Live
	}
	checks := g.Judge(ctx, s)
	by := make(map[string]upgrade.Check)
	var ids []string
	for _, c := range checks {
		by[c.ID] = c
		ids = append(ids, c.ID)
		if c.Stage != s.Stage {
			t.Errorf("%s: stage %q, want %q", c.ID, c.Stage, s.Stage)
		}
		if c.Verdict == "" || c.Detail == "" || strings.ContainsAny(c.Detail, "\n\r") {
			t.Errorf("%s: verdict %q with detail %q", c.ID, c.Verdict, c.Detail)
		}
		if c.Remedy == "" && (c.Verdict == upgrade.Fail || c.Verdict == upgrade.Inconclusive || c.Verdict == upgrade.Warn) {
			t.Errorf("%s: %s without a remedy: %s", c.ID, c.Verdict, c.Detail)
		}
	}
	if len(ids) < len(order()) || !slices.Equal(ids[:len(order())], order()) {
		t.Errorf("checks are %v, want %v first", ids, order())
	}
	by[""] = upgrade.Check{Verdict: upgrade.Judge(checks), Detail: "the whole judgement"}
	return by
}

// want compares one check. An empty part of text is in every detail.
func want(t *testing.T, checks map[string]upgrade.Check, id string, verdict upgrade.Verdict, text string) {
	t.Helper()
	c := checks[id]
	if c.Verdict != verdict || !strings.Contains(c.Detail, text) {
		t.Errorf("%q is %s (%s), want %s with %q", id, c.Verdict, c.Detail, verdict, text)
	}
}

// pipes is a network inside the process, on which synctest can tell that
// everybody waits.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// servePipes runs a handler on a network of pipes, until the test ends.
func servePipes(t *testing.T, h http.Handler) upgrade.Endpoint {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(p)
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return upgrade.Endpoint{HTTP: "http://gateway.example.com:5052", Dial: p.dial, Via: "pipe"}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5052} }
