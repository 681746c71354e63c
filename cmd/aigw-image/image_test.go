package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/jobimage"
)

const zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// sources is a directory like this repository's, as far as a release looks.
func sources(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"VERSION":           "1.2.3\n",
		"go.mod":            "module aigw-ci\n\ntoolchain go1.26.8\n",
		"CHANGELOG.md":      "# Changelog\n\n## 1.2.3\n\nFirst.\n",
		"templates/one.yml": "    default: registry.example.com/tools/aigw-ci:0.0.1@" + zeros + "\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// run runs the program on sources; nothing is compiled for it.
func run(t *testing.T, root string, environ map[string]string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := newRoot(surroundings{
		getenv: func(name string) string { return environ[name] },
		compile: func(_ context.Context, pkg string, p jobimage.Platform) ([]byte, error) {
			return []byte(pkg + p.String()), nil
		},
		stdout: &out,
		stderr: io.Discard,
	})
	command.SetArgs(append([]string{"--sources", root, "--layout", filepath.Join(root, "image")}, args...))
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

func must(t *testing.T, out string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRelease(t *testing.T) {
	t.Parallel()
	root := sources(t)
	out, err := run(t, root, nil, "build")
	digest := must(t, out, err)

	if _, err := run(t, root, nil, "check"); err == nil || !strings.Contains(err.Error(), "make pin") {
		t.Errorf("before pinning: %v", err)
	}
	out, err = run(t, root, nil, "pin")
	if must(t, out, err) != digest {
		t.Errorf("built %s, pinned %s", digest, out)
	}
	out, err = run(t, root, nil, "check", "--tag", "1.2.3")
	if must(t, out, err) != digest {
		t.Errorf("built %s, checked %s", digest, out)
	}
	if _, err := run(t, root, nil, "check", "--tag", "1.2.4"); err == nil || !strings.Contains(err.Error(), "VERSION says 1.2.3") {
		t.Errorf("another tag: %v", err)
	}
	out, err = run(t, root, nil, "notes", "registry.example.com/tools/aigw-ci")
	if notes := must(t, out, err); !strings.HasPrefix(notes, "First.\n") || !strings.Contains(notes, ":1.2.3@"+strings.TrimSpace(digest)) {
		t.Errorf("notes:\n%s", notes)
	}
}

// A GitLab job's credentials reach the job's own registry, as they reach aigw-ci's.
func TestPushWithTheJobsCredentials(t *testing.T) {
	t.Parallel()
	root := sources(t)
	if _, err := run(t, root, nil, "build"); err != nil {
		t.Fatal(err)
	}
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		seen = append(seen, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusForbidden) // enough is known
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	environ := map[string]string{
		"CI_DEPLOY_USER": "deploy", "CI_DEPLOY_PASSWORD": "deploy-token-value",
		"CI_REGISTRY": host, "CI_REGISTRY_USER": "gitlab-ci-token", "CI_REGISTRY_PASSWORD": "job-token-value",
	}
	_, err := run(t, root, environ, "push", host+"/tools/aigw-ci:1.2.3")
	if err == nil || strings.Contains(err.Error(), "job-token-value") {
		t.Errorf("a refused push: %v", err)
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("gitlab-ci-token:job-token-value"))
	if len(seen) == 0 || seen[0] != want {
		t.Errorf("the registry was shown %q: %v", seen, err)
	}
}
