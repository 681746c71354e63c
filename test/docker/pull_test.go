//go:build docker

package docker

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/registry"
	"aigw-ci/internal/lab/wire"
	"aigw-ci/test/crowd"
	"aigw-ci/test/program"
)

// A pull that fails changes nothing, and says why.
func TestPullFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault wire.Fault
		want  string
	}{
		"unauthorized":   {registry.Unauthorized().On("", "/manifests/"), "unauthorized"},
		"denied":         {registry.Denied().On("", "/manifests/"), "denied"},
		"digest missing": {wire.Answer("gone", http.StatusNotFound, nil, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`).On("", "/manifests/"), "manifest unknown"},
		"layer missing":  {wire.Answer("gone", http.StatusNotFound, nil, `{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}`).On("", "/blobs/"), "unknown blob"},
		"registry gone":  {wire.Dropped(), "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.install()
			w.next(gateway.Healthy)
			w.estate.Registry.SetFaults(onlyEngine(test.fault))
			users := crowd.Work(t, w.url(), 1)
			r := w.run("upgrade", 1, "failed")
			users.AllServed(t)
			r.Says(t, test.want, tag183)
			if c := w.serves(tag182); c.ID != old.ID || c.State.StartedAt != old.State.StartedAt {
				t.Error("the old container was touched")
			}
			w.alone()
		})
	}
}

// onlyEngine keeps a fault of the registry from the program itself: only the engine
// meets it, when it pulls.
func onlyEngine(f wire.Fault) wire.Fault {
	serve := f.Serve
	f.Serve = func(next http.Handler) http.Handler {
		bad := serve(next)
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.UserAgent(), "docker/") {
				bad.ServeHTTP(rw, r)
				return
			}
			next.ServeHTTP(rw, r)
		})
	}
	return f
}

// stallPulls lets pulls hang at their layers: until goOn is called, which drops them,
// as a registry that comes back would. It returns the moment of the first.
func (w *world) stallPulls() (first moment, goOn func()) {
	asked, over := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	w.estate.Registry.SetFaults(onlyEngine(wire.Fault{Name: "stalled", Method: http.MethodGet, Path: "/blobs/",
		Serve: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				once()
				select {
				case <-over:
				case <-r.Context().Done():
				}
				panic(http.ErrAbortHandler)
			})
		}}))
	first = func(*world, *program.Job) bool {
		select {
		case <-asked:
			return true
		default:
			return false
		}
	}
	return first, sync.OnceFunc(func() {
		w.estate.Registry.SetFaults()
		close(over)
	})
}
