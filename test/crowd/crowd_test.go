package crowd

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// gateway answers as a gateway does, while it is up.
func gateway(t *testing.T) (url string, up *atomic.Bool) {
	t.Helper()
	up = new(atomic.Bool)
	up.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !up.Load():
			http.Error(w, "down\nfor a while", http.StatusBadGateway)
		case r.Method == http.MethodGet && r.URL.Path == "/monitoring/healthz":
		case r.Method == http.MethodPost && r.URL.Path == "/v2/code/completions":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, up
}

func TestAsk(t *testing.T) {
	t.Parallel()
	url, up := gateway(t)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		up.Store(true)
		if problem := Ask(t.Context(), method, url); problem != "" {
			t.Errorf("%s: %s", method, problem)
		}
		up.Store(false)
		if problem, want := Ask(t.Context(), method, url), method+": 502 Bad Gateway: down"; problem != want {
			t.Errorf("%s: %q, want %q", method, problem, want)
		}
	}
	if Ask(t.Context(), http.MethodGet, url+"/elsewhere") == "" {
		t.Error("any server is taken for a gateway")
	}
	if Answers(t.Context(), url, 0) {
		t.Error("a gateway that is down answers")
	}
	time.AfterFunc(100*time.Millisecond, func() { up.Store(true) })
	if !Answers(t.Context(), url, time.Minute) {
		t.Error("a gateway that came back does not answer")
	}
}

// One request that fails is seen, and counted with its time.
func TestCrowd(t *testing.T) {
	t.Parallel()
	url, up := gateway(t)
	c := Work(t, url, 2)
	until := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}
	count := func() (served, failed int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.served, len(c.failed)
	}
	until("some were served", func() bool { served, _ := count(); return served >= 10 })
	if _, failed := count(); failed > 0 {
		t.Fatalf("%d failed", failed)
	}
	down := time.Now()
	up.Store(false)
	until("somebody noticed", func() bool { _, failed := count(); return failed > 0 })
	served, failed := c.Rest()
	if served < 10 || failed[0].At.Before(down) || !strings.Contains(Describe(failed), "502 Bad Gateway: down") {
		t.Errorf("%d served; %s", served, Describe(failed))
	}
	if again, _ := c.Rest(); again != served {
		t.Errorf("%d served after the end, %d before", again, served)
	}
	judge := &judge{TB: t}
	c.AllServed(judge)
	if !judge.failed {
		t.Error("a failure is none")
	}
	(&Crowd{stop: func() {}, served: 9}).AllServed(judge.anew())
	if !judge.failed {
		t.Error("nine requests are taken for a crowd")
	}
	(&Crowd{stop: func() {}, served: 10}).AllServed(judge.anew())
	if judge.failed {
		t.Error("ten requests that were served are a failure")
	}
}

// judge remembers a verdict, and keeps it from the test.
type judge struct {
	testing.TB
	failed bool
}

func (j *judge) Errorf(string, ...any) { j.failed = true }

func (j *judge) anew() *judge {
	j.failed = false
	return j
}
