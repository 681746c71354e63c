package dockerd

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// serve answers as an engine does: answers are bodies by path, and what has none is
// missing. It returns the paths that were deleted so far.
func serve(t *testing.T, answers map[string]string) (e *Engine, deleted func() []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dockerd-") // a test's own is too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var gone []string
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, known := answers[r.URL.String()]
		switch {
		case r.Method == http.MethodDelete:
			mu.Lock()
			defer mu.Unlock()
			gone = append(gone, r.URL.String())
			if strings.Contains(r.URL.Path, "vanished") {
				http.Error(w, "no such thing", http.StatusNotFound)
			}
		case !known:
			http.Error(w, "no such thing", http.StatusNotFound)
		default:
			_, _ = io.WriteString(w, body)
		}
	})}}
	server.Start()
	t.Cleanup(server.Close)
	if e, err = New("unix://" + socket); err != nil {
		t.Fatal(err)
	}
	return e, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(gone)
	}
}

func TestNotOnThisMachine(t *testing.T) {
	t.Parallel()
	if _, err := New("tcp://127.0.0.1:2375"); err == nil || !strings.Contains(err.Error(), "unset it, or set it to unix:///path") {
		t.Errorf("%v", err)
	}
}

func TestBridge(t *testing.T) {
	t.Parallel()
	const none = "the engine has no default bridge network with an IPv4 address"
	for config, want := range map[string]string{
		`{"Gateway":"172.17.0.1","Subnet":"172.17.0.0/16"}`:                     "172.17.0.1",
		`{"Subnet":"10.9.8.7/24"}`:                                              "10.9.8.1", // old engines say no more
		`{"Gateway":"fd00::1","Subnet":"fd00::/64"},{"Subnet":"172.18.0.0/16"}`: "172.18.0.1",
		`{"Gateway":"fd00::1","Subnet":"fd00::/64"}`:                            none,
		`{"Subnet":"nonsense"}`:                                                 none,
		``:                                                                      none,
	} {
		e, _ := serve(t, map[string]string{"/networks/bridge": `{"IPAM":{"Config":[` + config + `]}}`})
		got, err := e.Bridge(t.Context())
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	e, _ := serve(t, map[string]string{
		"/containers/gw/json":     `{"Id":"1","Name":"/gw","Config":{"Env":["A=b=c"]},"Mounts":[{"Name":"data","Destination":"/srv"}]}`,
		"/containers/broken/json": `{`,
	})
	c, err := e.Find(t.Context(), "gw")
	if err != nil || c == nil {
		t.Fatalf("%v, %v", c, err)
	}
	if c.ID != "1" || c.Variable("A") != "b=c" || c.Variable("B") != "" || c.Volume("/srv") != "data" || c.Volume("/") != "" || len(c.Raw) == 0 {
		t.Errorf("%+v", c)
	}
	if c, err := e.Find(t.Context(), "other"); c != nil || err != nil {
		t.Errorf("a container that is not there: %v, %v", c, err)
	}
	if _, err := e.Find(t.Context(), "broken"); err == nil {
		t.Error("half an answer is taken")
	}
	if err := e.Remove(t.Context(), "vanished"); !IsMissing(err) || !strings.Contains(err.Error(), "404: no such thing") {
		t.Errorf("%v", err)
	}
}

func TestGateways(t *testing.T) {
	t.Parallel()
	answers := map[string]string{"/containers/json?all=1": `[{"Id":"0"},{"Id":"1"},{"Id":"2"},{"Id":"ended"}]`}
	for i, image := range []string{"nginx:1", "registry.gitlab.com/a/model-gateway:x", "me/mine:self-hosted-v18.2.1-ee"} {
		answers[fmt.Sprintf("/containers/%d/json", i)] = fmt.Sprintf(`{"Name":"/c%d","Config":{"Image":%q}}`, i, image)
	}
	e, _ := serve(t, answers)
	got, err := e.Gateways(t.Context())
	want := []string{"c1 (registry.gitlab.com/a/model-gateway:x)", "c2 (me/mine:self-hosted-v18.2.1-ee)"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("(-want +got): %s%v", diff, err)
	}
}

// What is removed is one gateway's, and one registry's; nothing whose name only begins
// alike.
func TestTidy(t *testing.T) {
	t.Parallel()
	e, deleted := serve(t, map[string]string{
		"/containers/json?all=1": `[{"Id":"1","Names":["/gw"]},{"Id":"vanished","Names":["/gw.aigw-ci-next"]},{"Id":"3","Names":["/gw2"]},{"Id":"4","Names":["/my-gw"]}]`,
		"/images/json":           `[{"RepoTags":["127.0.0.1:5000/a:1"],"RepoDigests":["127.0.0.1:5000/a@sha256:0"]},{"RepoTags":["127.0.0.1:50001/a:1","nginx:1"]}]`,
	})
	if err := e.RemoveGateway(t.Context(), "gw"); err != nil {
		t.Error(err)
	}
	if err := e.RemoveImages(t.Context(), "127.0.0.1:5000"); err != nil {
		t.Error(err)
	}
	want := []string{
		"/containers/1?force=1&v=1", "/containers/vanished?force=1&v=1",
		"/images/127.0.0.1:5000/a:1", "/images/127.0.0.1:5000/a@sha256:0",
	}
	if diff := cmp.Diff(want, deleted()); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if err := e.RemoveImages(t.Context(), ""); err != nil || len(deleted()) != len(want) {
		t.Errorf("a registry that never was: %v, %q", err, deleted())
	}
}
