package engine_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"aigw-ci/internal/lab/engine"

	"github.com/moby/moby/client"
)

func TestSystem(t *testing.T) {
	t.Parallel()
	for _, tcp := range []bool{false, true} {
		l := newLab(t, engine.Options{TCP: tcp})
		if want := map[bool]string{false: "unix:///", true: "tcp://127.0.0.1:"}[tcp]; !strings.HasPrefix(l.engine.Host(), want) {
			t.Errorf("Host is %q, want %q...", l.engine.Host(), want)
		}
		ping, err := l.Ping(l.ctx(), client.PingOptions{NegotiateAPIVersion: true})
		if err != nil || ping.APIVersion != "1.41" || l.ClientVersion() != "1.41" {
			t.Errorf("ping: %+v, client speaks %s, error %v", ping, l.ClientVersion(), err)
		}
		v, err := l.ServerVersion(l.ctx(), client.ServerVersionOptions{})
		if err != nil || v.APIVersion != "1.41" || !strings.Contains(v.Version, "aigw-lab") {
			t.Errorf("version: %+v, error %v", v, err)
		}
		info, err := l.Info(l.ctx(), client.InfoOptions{})
		if err != nil || info.Info.OSType != "linux" || info.Info.Images != 1 {
			t.Errorf("info: %+v, error %v", info, err)
		}
	}
}

func TestCallsOutsideTheAPI(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	const json = "application/json"
	for _, tt := range []struct {
		method, path, contentType, body string
		status                          int
		message                         string
	}{
		{"GET", "/_ping", json, "", 200, "OK"},
		{"GET", "/v1.41/_ping", json, "", 200, "OK"},
		{"GET", "/v1.42/_ping", json, "", 400, "client version 1.42 is too new. Maximum supported API version is 1.41"},
		{"GET", "/v1.11/_ping", json, "", 400, "client version 1.11 is too old"},
		{"GET", "/v2.0/_ping", json, "", 400, "too new"},
		{"GET", "/nosuch", json, "", 404, `{"message":"page not found"}`},
		{"GET", "/events", json, "", 501, "events is not offered by the stand-in engine"},
		{"GET", "/images/lab/server:1", json, "", 404, "page not found"},
		{"GET", "/exec/x/json", json, "", 404, "No such exec instance: x"},
		{"POST", "/containers/create", json, "garbage", 500, "invalid character 'g'"},
		{"POST", "/containers/create", "text/plain", "{}", 400, "Content-Type specified (text/plain) must be 'application/json'"},
		{"POST", "/containers/create", json, `{"Image":""}`, 400, "No command specified"},
		{"POST", "/containers/create", json, `{"Image":"","Cmd":["x"]}`, 400, "no image specified"},
		{"POST", "/containers/create?name=_", json, `{"Image":"lab/server:1"}`, 400, "Invalid container name (_), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"},
		{"POST", "/images/create", json, "", 400, "fromImage or fromSrc is needed"},
		{"GET", "/containers/json?filters=%7B%22bogus%22:%5B%22x%22%5D%7D", json, "", 400, "Invalid filter 'bogus'"},
		{"GET", "/containers/json?filters=%7B%22status%22:%5B%22running%22%5D%7D", json, "", 200, "[]"},
	} {
		status, body := l.rawCall(tt.method, tt.path, tt.contentType, tt.body)
		if status != tt.status || !strings.Contains(body, tt.message) {
			t.Errorf("%s %s: %d %s, want %d %q", tt.method, tt.path, status, body, tt.status, tt.message)
		}
	}
}

func TestExecIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", noHost)
	if status, body := l.rawCall("POST", "/containers/one/exec", "application/json", "{}"); status != http.StatusConflict {
		t.Errorf("exec in a container that does not run: %d %s", status, body)
	}
	l.start("one")
	if status, body := l.rawCall("POST", "/containers/one/exec", "application/json", "{}"); status != http.StatusNotImplemented {
		t.Errorf("exec: %d %s", status, body)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLab(t, engine.Options{Dir: dir})
	l.create("one", noHost, "stubborn")
	l.start("one")
	l.get(l.url("one") + "/env")
	pid := l.inspect("one").State.Pid
	if err := l.engine.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(procDir(pid)); !gone(err) {
		t.Errorf("process %d is still there", pid)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in its directory: %v, error %v", left, err)
	}
	if err := l.engine.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := l.engine.Start(); err == nil {
		t.Error("a closed engine started")
	}
	if err := l.engine.Restart(); err == nil {
		t.Error("a closed engine restarted")
	}
}
