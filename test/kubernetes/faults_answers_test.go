//go:build kubernetes

package kubernetes

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"aigw-ci/internal/lab/wire"
	"aigw-ci/test/crash"
	"aigw-ci/test/crowd"
)

// faulty stands between the program and the API server as middle does, and has its
// answers replaced by the faults that are on.
func (w *world) faulty() (m *crash.Middle, faults *wire.Switch, kubeconfig string) {
	w.Helper()
	m, _ = w.middle()
	faults = new(wire.Switch)
	listening := httptest.NewServer(faults.Wrap(m))
	w.Cleanup(func() {
		listening.CloseClientConnections()
		listening.Close()
	})
	kubeconfig = filepath.Join(w.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "it",
		"clusters": [{"name": "it", "cluster": {"server": %q}}],
		"contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
		"users": [{"name": "me", "user": {}}]}`, listening.URL)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return m, faults, kubeconfig
}

// drip hands the right answers on, a kibibyte at a time.
func drip(every time.Duration) wire.Fault {
	return wire.Fault{Name: "drip", Serve: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(dripping{w, every}, r) })
	}}
}

type dripping struct {
	http.ResponseWriter
	every time.Duration
}

func (d dripping) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d dripping) Write(data []byte) (n int, err error) {
	for part := range slices.Chunk(data, 1<<10) {
		time.Sleep(d.every)
		written, err := d.ResponseWriter.Write(part)
		n += written
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// refusal is an API server's own way to say no.
// Source: kubernetes.io/docs/reference/using-api/api-concepts; metav1.Status.
func refusal(status int, reason string, header http.Header) wire.Fault {
	header.Set("Content-Type", "application/json")
	return wire.Answer(reason, status, header, fmt.Sprintf(
		`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"for a while","reason":%q,"code":%d}`, reason, status))
}

// An API server, or what stands before it, that answers badly for a while.
func TestAPIServerAnswersBadly(t *testing.T) {
	t.Parallel()
	html := http.Header{"Content-Type": {"text/html"}}
	for _, tt := range []struct {
		name  string
		fault wire.Fault
		lasts time.Duration
		ends  []string // outcomes
	}{
		{"slowly", drip(20 * time.Millisecond), 25 * time.Second, []string{"upgraded"}},
		{"too many requests", refusal(http.StatusTooManyRequests, "TooManyRequests", http.Header{"Retry-After": {"1"}}), 14 * time.Second, []string{"upgraded"}},
		{"a load balancer's page", wire.Answer("unavailable", http.StatusServiceUnavailable, html, "<html><h1>503 Service Unavailable</h1></html>"), 10 * time.Second, []string{"upgraded"}},
		// It may be the last word of a webhook to a change, which is then undone.
		{"internal errors", refusal(http.StatusInternalServerError, "InternalError", http.Header{}), 8 * time.Second, []string{"upgraded", "rolled_back"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			w.estate.SetVersion("18.4.1-ee")
			users := crowd.Work(t, w.service(), 1)
			_, faults, kubeconfig := w.faulty()
			j := w.start("upgrade", "KUBECONFIG="+kubeconfig, "AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_TIMEOUT=120s")
			j.Until("== Promote")
			faults.Set(tt.fault)
			time.Sleep(tt.lasts)
			faults.Set()
			r := j.Wait()
			if !slices.Contains(tt.ends, r.Outcome) {
				t.Errorf("exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
			}
			w.runs(map[string]string{"upgraded": tag184, "rolled_back": tag182}[r.Outcome])
			if again := w.start("upgrade").Wait(); again.Exit != 0 {
				t.Errorf("the next run: exit code %d, %s: %s", again.Exit, again.Outcome, again.Error)
			}
			w.settled()
			users.AllServed(t)
			w.runs(tag184)
		})
	}
}
