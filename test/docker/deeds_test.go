//go:build docker

package docker

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"aigw-ci/test/crash"
)

// middle stands between the program and the engine, at the address host.
func (w *world) middle() (m *crash.Middle, host string) {
	w.Helper()
	dir, err := os.MkdirTemp("", "aigw-crash-") // a test's own is too long a name for a socket
	if err != nil {
		w.Fatal(err)
	}
	socket := filepath.Join(dir, "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		w.Fatal(err)
	}
	m = &crash.Middle{
		Server: &url.URL{Scheme: "http", Host: "engine"},
		Way: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", w.Socket)
		}},
		Name: w.deed,
	}
	server := &http.Server{Handler: m}
	go func() { _ = server.Serve(listener) }()
	w.Cleanup(func() {
		_ = server.Close()
		_ = os.RemoveAll(dir)
	})
	return m, "unix://" + socket
}

var version = regexp.MustCompile(`^/v\d+\.\d+`)

// deed names what a request changes: "POST rename next". Containers go by what their
// name adds to the gateway's.
func (w *world) deed(r *http.Request) crash.Deed {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Header.Get("Upgrade") != "" {
		return crash.Deed{}
	}
	part := strings.Split(strings.Trim(version.ReplaceAllString(r.URL.Path, ""), "/"), "/")
	if len(part) < 2 {
		part = append(part, "")
	}
	q := r.URL.Query()
	switch kind, verb := part[0], part[len(part)-1]; {
	case verb == "wait" || kind == "auth":
		return crash.Deed{}
	case kind == "containers" && part[1] == "create":
		return crash.Deed{Name: "POST create " + w.member(q.Get("name"))}
	case kind == "containers":
		whom := w.whom(part[1])
		if whom == "" { // a sign of life that comes too late
			return crash.Deed{}
		}
		if r.Method == http.MethodDelete {
			verb = "remove"
		}
		return crash.Deed{Name: r.Method + " " + verb + " " + whom, Clock: whom == "helper" || whom == "lock" && verb == "archive"}
	case kind == "images" && q.Get("fromImage") != "":
		return crash.Deed{Name: "POST pull"}
	case kind == "images":
		return crash.Deed{Name: r.Method + " helper image", Clock: true}
	case kind == "exec":
		return crash.Deed{Name: "POST exec", Clock: true}
	default:
		return crash.Deed{Name: r.Method + " " + kind + " " + verb}
	}
}

// whom is the part that a container plays; empty for one that is gone.
func (w *world) whom(id string) string {
	c, err := w.Find(context.Background(), id)
	if err != nil || c == nil {
		return ""
	}
	if c.Config.Labels["aigw-ci.role"] == "relay" {
		return "helper"
	}
	return w.member(strings.TrimPrefix(c.Name, "/"))
}

func (w *world) member(name string) string {
	rest, mine := strings.CutPrefix(name, w.name)
	switch {
	case mine && rest == "":
		return "gateway"
	case mine:
		return strings.TrimPrefix(rest, ".aigw-ci-")
	case name == "": // the engine gives it one
		return "helper"
	}
	return "proxy"
}
