package docker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"aigw-ci/internal/upgrade"
)

var testImage = upgrade.Image{
	Repository: "registry.example.com/model-gateway",
	Tag:        "self-hosted-v18.2.8-ee",
	Digest:     "sha256:" + strings.Repeat("a", 64),
	Platform:   "linux/amd64",
}

// pullable is an engine that has the image once it was pulled with this stream.
func pullable(stream string) (s *stubEngine, pulled *http.Request) {
	s = newStub()
	pulled = new(http.Request)
	has := false
	s.fail = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasPrefix(r.URL.Path, "/images/registry.example.com"):
			if !has {
				refuse(w, http.StatusNotFound, "No such image")
				return true
			}
			reply(w, http.StatusOK, map[string]any{
				"Id": "sha256:1", "Os": "linux", "Architecture": "amd64", "RepoDigests": []string{testImage.Pull()},
			})
			return true
		case r.URL.Path == "/images/create":
			*pulled = *r
			_, _ = io.WriteString(w, stream)
			has = strings.Contains(stream, "Downloaded newer image")
			return true
		}
		return false
	}
	return s, pulled
}

const goodPull = `{"status":"Pulling from model-gateway","id":"sha256:aaaa"}
{"status":"Pulling fs layer","progressDetail":{},"id":"1"}
{"status":"Already exists","progressDetail":{},"id":"2"}
{"status":"Downloading","progressDetail":{"current":1000000,"total":4200000},"progress":"[=>  ]","id":"1"}
{"status":"Download complete","progressDetail":{},"id":"1"}
{"status":"Pull complete","progressDetail":{},"id":"1"}
{"status":"Status: Downloaded newer image"}
`

func TestPull(t *testing.T) {
	t.Parallel()
	s, pulled := pullable(goodPull)
	var log recorder
	e := s.engine(t, log.log())
	auth := Credentials{User: "ci", Password: "hunter22"}
	if err := e.Pull(context.Background(), testImage, auth); err != nil {
		t.Fatal(err)
	}
	query := pulled.URL.Query()
	if query.Get("tag") != testImage.Digest || query.Get("platform") != "linux/amd64" {
		t.Errorf("asked for %v, want the digest and the platform", query)
	}
	header, err := base64.URLEncoding.DecodeString(pulled.Header.Get("X-Registry-Auth"))
	if err != nil || !strings.Contains(string(header), `"hunter22"`) || !strings.Contains(string(header), "registry.example.com") {
		t.Errorf("X-Registry-Auth %q, %v", header, err)
	}
	for _, want := range []string{`layers="2 of 2"`, `loaded="4.2 MB of 4.2 MB"`, "already_there=1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, &log)
		}
	}
	if strings.Contains(log.String(), "hunter22") {
		t.Error("the password is in the log")
	}

	*pulled = http.Request{}
	if err := e.Pull(context.Background(), testImage, auth); err != nil || pulled.URL != nil {
		t.Errorf("second pull: error %v, asked the engine %v", err, pulled.URL)
	}
}

func TestPullFails(t *testing.T) {
	t.Parallel()
	inStream := func(message string) string {
		said, err := json.Marshal(map[string]any{"error": message, "errorDetail": map[string]string{"message": message}})
		if err != nil {
			t.Fatal(err)
		}
		return `{"status":"Pulling fs layer","id":"1"}` + string(said)
	}
	tests := []struct {
		name, stream string
		want         []string
	}{
		{"disk", inStream("write /var/lib/docker/tmp: no space left on device"), []string{"no space left", "disk is full"}},
		{"unauthorized", inStream("unauthorized: authentication required"), []string{"refused user ci (from DOCKER_AUTH_CONFIG)"}},
		{"gone", inStream("manifest unknown: manifest unknown"), []string{"no longer has this digest"}},
		{"certificate", inStream("x509: certificate signed by unknown authority"), []string{"/etc/docker/certs.d/registry.example.com/ca.crt"}},
		{"registry went away", inStream("Get https://registry.example.com/v2/: unexpected EOF"), []string{"engine's host cannot reach registry.example.com"}},
		{"network", inStream("dial tcp: lookup registry.example.com: no such host"), []string{"engine's host cannot reach registry.example.com"}},
		{"limit", inStream("toomanyrequests: You have reached your pull rate limit"), []string{"limits pulls"}},
		{"unknown", inStream("\x1b[31msomething else"), []string{": something else\n", "journalctl"}},
		{"silent", `{"status":"Status: nothing happened"}`, []string{"reported no error, but does not have the image"}},
		{"cut", `{"status":"Pulling fs lay`, []string{"unexpected EOF", "the engine went away"}},
	}
	for _, test := range tests {
		s, _ := pullable(test.stream)
		err := s.engine(t, nil).Pull(context.Background(), testImage, Credentials{User: "ci", Password: "hunter22", Source: "DOCKER_AUTH_CONFIG"})
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		for _, want := range append(test.want, testImage.Tag) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q lacks %q", test.name, err, want)
			}
		}
		if strings.Contains(err.Error(), "hunter22") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: error %q", test.name, err)
		}
	}
}

func TestHas(t *testing.T) {
	t.Parallel()
	other := "registry.example.com/model-gateway@sha256:" + strings.Repeat("b", 64)
	tests := []struct {
		name, digest, architecture string
		want                       bool
	}{
		{"there", testImage.Pull(), "amd64", true},
		{"another digest", other, "amd64", false},
		{"another platform", testImage.Pull(), "arm64", false},
	}
	for _, test := range tests {
		s := newStub()
		s.HandleFunc("GET /images/{name...}", func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusOK, map[string]any{"Os": "linux", "Architecture": test.architecture, "RepoDigests": []string{test.digest}})
		})
		if got, err := s.engine(t, nil).Has(context.Background(), testImage); got != test.want || err != nil {
			t.Errorf("%s: Has = %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}
