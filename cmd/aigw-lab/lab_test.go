package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw-ci/test/program"
)

// screen is what a user sees.
type screen struct{ program.Screen }

// await waits for a pattern on the screen.
func (s *screen) await(t *testing.T, pattern string) []string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if m := want.FindStringSubmatch(s.String()); m != nil {
			return m
		}
	}
	t.Fatalf("never saw %s:\n%s", pattern, s)
	return nil
}

// begin runs the program in the background; end stops it as Ctrl-C does.
func begin(t *testing.T, env map[string]string, args ...string) (seen *screen, end func() error) {
	t.Helper()
	seen = &screen{}
	ctx, cancel := context.WithCancel(t.Context())
	root := newRoot(func(name string) string { return env[name] }, seen, seen)
	root.SetArgs(args)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	end = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = end() })
	return seen, end
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestLabRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "gateway")
	if err := os.WriteFile(binary, []byte("\x7fELF"), 0o700); err != nil {
		t.Fatal(err)
	}
	seen, end := begin(t, nil, "--gitlab", "127.0.0.1:0", "--registry", "127.0.0.1:0", "--control", "127.0.0.1:0",
		"--also", "127.0.0.2", "--hash-tags", "10", "--private", "--gateway", binary)
	control := seen.await(t, `Control +(\S+)\n`)[1]
	seen.await(t, `AIGW_CI_GITLAB_URL=http://127\.0\.0\.2:\d+\n`)
	seen.await(t, `AIGW_CI_REGISTRY_USER=`)
	seen.await(t, `Ctrl-C ends the lab`)
	if status, body := get(t, control+"version?set=18.3.6-ee"); status != 200 || !strings.Contains(body, "18.3.6-ee") {
		t.Errorf("%d %s", status, body)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(control + "version"); err == nil {
		t.Error("it still answers")
	}
}

func TestLabOverTLSWritesItsAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary, ca := filepath.Join(dir, "gateway"), filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(binary, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	seen, _ := begin(t, nil, "--gitlab", "127.0.0.1:0", "--registry", "127.0.0.1:0", "--control", "", "--hash-tags", "0", "--tls", "--ca-file", ca, "--gateway", binary)
	seen.await(t, `AIGW_CI_CA_FILE=`)
	if data, err := os.ReadFile(ca); err != nil || !strings.Contains(string(data), "BEGIN CERTIFICATE") {
		t.Errorf("%s, %v", data, err)
	}
}

func TestGatewayAndItsUsers(t *testing.T) {
	t.Parallel()
	const host = "127.77.7.7"
	gateway, endGateway := begin(t, map[string]string{"LAB_HOST": host, "LAB_LINE": "18.3", "AIGW_FASTAPI__API_PORT": "5052"}, "gateway")
	gateway.await(t, "Application startup complete")
	users, endUsers := begin(t, nil, "users", "--every", "10ms", "http://"+host+":5052/")
	users.await(t, `served [1-9]\d*, failed 0, longest outage 0\.0s\n`)
	if err := endUsers(); err != nil {
		t.Error(err)
	}
	if err := endGateway(); err != nil {
		t.Error(err)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"neither an IP address nor an interface": {"--also", "nonsense0"},
		"unknown flag":                           {"--nonsense"},
		"unknown command":                        {"nonsense"},
		"accepts 1 arg":                          {"users"},
		"no such file or directory":              {"--ca-file", "/nowhere/ca.pem", "--tls", "--gateway", "x", "--gitlab", "127.0.0.1:0", "--registry", "127.0.0.1:0"},
	} {
		_, end := begin(t, nil, args...)
		time.Sleep(200 * time.Millisecond)
		if err := end(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
	seen, end := begin(t, map[string]string{"LAB_MODE": "odd"}, "gateway")
	if err := end(); err == nil || !strings.Contains(err.Error(), "crash-at-boot") {
		t.Errorf("%v\n%s", err, seen)
	}
	crash, _ := begin(t, map[string]string{"LAB_MODE": "crash-at-boot"}, "gateway")
	crash.await(t, "ModuleNotFoundError")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	seen, end := begin(t, nil, "--help")
	for _, want := range []string{"/control/publish", "--also docker0", "gateway", "users"} {
		seen.await(t, want)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}
