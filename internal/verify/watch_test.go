package verify

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/upgrade"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	gap := func(gaps ...[2]time.Duration) func(time.Duration) error {
		return func(since time.Duration) error {
			for _, g := range gaps {
				if since >= g[0] && since < g[1] {
					return down
				}
			}
			return nil
		}
	}
	const s = time.Second
	for _, tt := range []struct {
		name           string
		answers        func(time.Duration) error
		total, longest time.Duration
		from, to       time.Duration // zero: no gap
		spans          int
		unmeasured     bool
	}{
		{name: "always up", answers: gap(), spans: 1},
		// The last good answer is one beat before the first that failed.
		{name: "one gap", answers: gap([2]time.Duration{2 * s, 5 * s}), total: 3100 * time.Millisecond, longest: 3100 * time.Millisecond, from: 1900 * time.Millisecond, to: 5 * s, spans: 3},
		{name: "two gaps", answers: gap([2]time.Duration{2 * s, 3 * s}, [2]time.Duration{5 * s, 7 * s}), total: 3200 * time.Millisecond, longest: 2100 * time.Millisecond, from: 1900 * time.Millisecond, to: 7 * s, spans: 5},
		{name: "not back at the end", answers: gap([2]time.Duration{8 * s, time.Hour}), total: 2150 * time.Millisecond, longest: 2150 * time.Millisecond, from: 7900 * time.Millisecond, to: 10050 * time.Millisecond, spans: 2},
		{name: "never up", answers: gap([2]time.Duration{0, time.Hour}), spans: 1, unmeasured: true},
		{name: "down before it was ever up", answers: gap([2]time.Duration{0, 3 * s}), spans: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				w := Watch(t.Context(), func(context.Context) error { return tt.answers(time.Since(begin)) }, 100*time.Millisecond)
				time.Sleep(10*time.Second + 50*time.Millisecond)
				got, spans := w.Stop()
				want := Outage{Total: tt.total, Longest: tt.longest, Measured: !tt.unmeasured}
				if tt.to > 0 {
					want.From, want.To = begin.Add(tt.from), begin.Add(tt.to)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if len(spans) != tt.spans {
					t.Errorf("%d spans, want %d: %v", len(spans), tt.spans, spans)
				}
				probes := 0
				for _, span := range spans {
					probes += span.Probes
				}
				if probes != 101 {
					t.Errorf("%d probes in ten seconds", probes)
				}
				again, _ := w.Stop()
				if diff := cmp.Diff(got, again); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestWatchIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		w := Watch(t.Context(), func(context.Context) error {
			if n++; n%2 == 0 {
				return errors.New(strings.Repeat("x", 10000))
			}
			return nil
		}, 100*time.Millisecond)
		time.Sleep(10 * time.Minute)
		outage, spans := w.Stop()
		if len(spans) != maxSpans || len(spans[1].Error) > 300 {
			t.Errorf("%d spans with errors of %d bytes", len(spans), len(spans[1].Error))
		}
		if outage.Total < 9*time.Minute {
			t.Errorf("measured %s, want also what is not told", outage.Total)
		}
		if _, err := json.Marshal(spans); err != nil {
			t.Error(err)
		}
	})
}

// A probe that we ended ourselves is no outage.
func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		w := Watch(ctx, func(ctx context.Context) error {
			if calls++; calls == 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, time.Second)
		time.Sleep(5 * time.Second)
		cancel()
		synctest.Wait()
		if outage, _ := w.Stop(); outage.Total != 0 || !outage.Measured {
			t.Errorf("outage %+v", outage)
		}
	})
}

// The real thing: a server that is taken down, and another that takes its place.
func TestWatchSeesASwap(t *testing.T) {
	t.Parallel()
	addr := nobody(t)
	var connections atomic.Int64
	up := func() *httptest.Server {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(gatewayAPI(nil))
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connections.Add(1)
			}
		}
		server.Listener.Close()
		server.Listener = l
		server.Start()
		return server
	}
	first := up()
	g := New(quick())
	live := at(upgrade.Endpoint{HTTP: "http://" + addr, Lasting: true})
	w, err := g.Watch(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return connections.Load() >= 3 })
	down := time.Now()
	first.Close()
	time.Sleep(500 * time.Millisecond)
	second := up()
	defer second.Close()
	back := time.Now()
	seen := connections.Load()
	waitFor(t, func() bool { return connections.Load() >= seen+3 })

	outage, spans := w.Stop()
	// Both ends are off by a beat at most; the machine may be slow.
	if gap := back.Sub(down); outage.Total < gap-2*beat || outage.Total > gap+2*beat+time.Second {
		t.Errorf("outage %s, the server was away for %s", outage.Total, gap)
	}
	if len(spans) < 3 || spans[0].Error != "" || !spans[0].OK || spans[1].OK {
		t.Errorf("timeline %+v", spans)
	}
	probes := 0
	for _, s := range spans {
		if s.OK {
			probes += s.Probes
		}
	}
	if n := int(connections.Load()); n < probes {
		t.Errorf("%d probes on %d connections: a kept connection hides a swap", probes, n)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("waited too long")
		}
	}
}

func TestWatchWhat(t *testing.T) {
	t.Parallel()
	if _, err := New(quick()).Watch(t.Context(), new(stub)); err == nil {
		t.Error("watched without a road")
	}
	if _, err := New(quick()).Watch(t.Context(), at(upgrade.Endpoint{HTTP: "http://192.0.2.1:5052"})); err == nil {
		t.Error("watched an address that goes with its container")
	}
	server := httptest.NewServer(gatewayAPI(nil))
	defer server.Close()
	o := quick()
	o.GatewayURL = server.URL
	w, err := New(o).Watch(t.Context(), new(stub))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	w.Stop()

	o.GatewayURL = ""
	bad := httptest.NewServer(http.NotFoundHandler())
	defer bad.Close()
	if err := New(o).visitOwn(upgrade.Endpoint{HTTP: bad.URL}).beat(t.Context()); err == nil || err.Error() != "status 404" {
		t.Errorf("a beat on 404: %v", err)
	}
}
