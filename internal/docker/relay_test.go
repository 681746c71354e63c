package docker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

func TestCheckExecutable(t *testing.T) {
	t.Parallel()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(own)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	other := "linux/arm64"
	if runtime.GOARCH == "arm64" {
		other = "linux/amd64"
	}
	for platform, want := range map[string]string{other: "the engine runs " + other, "windows/amd64": "the engine runs windows"} {
		if err := checkExecutable(file, platform); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", platform, err, want)
		}
	}
	if err := checkExecutable(strings.NewReader("#!/bin/sh\n"), "linux/amd64"); err == nil || !strings.Contains(err.Error(), "no Linux executable") {
		t.Errorf("a script: %v", err)
	}
}

// An engine that refuses, because it restarts, is no GitLab that does.
func TestRelayWithoutAnEngine(t *testing.T) {
	t.Parallel()
	e := newStub().engine(t, nil)
	e.executable = "aigw-ci"
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	e.dial = func(context.Context) (net.Conn, error) { return nil, refused }
	if err := e.open(ConnectOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := e.gateway("1", "gitlab-aigw", false).DialFrom(t.Context(), "gitlab.example.com:443")
	if road := new(upgrade.RoadError); !errors.As(err, &road) || errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("an engine that refuses: %v, want a RoadError", err)
	}
}

// So is one that breaks off in the middle of an answer.
func TestRelayThatBreaksOff(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	answer := io.MultiReader(strings.NewReader(frame(1, "ok\n")), &broken{})
	s := newExecStream(client.HijackedResponse{Conn: near, Reader: bufio.NewReader(answer)})
	defer s.Close()
	if line, err := s.readLine(); line != "ok\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.As(err, new(*upgrade.RoadError)) {
		t.Errorf("read: %v, want a RoadError", err)
	}
}

func TestRelayIsUnsupportedWithoutAnExecutable(t *testing.T) {
	t.Parallel()
	e := newStub().engine(t, nil)
	if _, err := e.gateway("1", "gitlab-aigw", false).DialFrom(t.Context(), "gitlab.example.com:443"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("DialFrom: %v, want ErrUnsupported", err)
	}
	for _, addr := range []string{"", "host", ":80", "-v:80"} {
		if _, err := e.dialRelay(t.Context(), "1", "gitlab-aigw", addr); err == nil || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("address %q: %v, want it refused", addr, err)
		}
	}
}
