package docker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/upgrade"
)

func TestRelay(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		said, _ := io.ReadAll(conn)
		_, _ = conn.Write(bytes.ToUpper(said))
	}()
	var out bytes.Buffer
	if err := Relay(t.Context(), strings.NewReader("hello"), &out, listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "ok\nHELLO" {
		t.Errorf("got %q", got)
	}
}

func TestRelayTellsWhatWentWrong(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	for _, test := range []struct {
		addr    string
		refused bool
	}{{addr, true}, {"nowhere.invalid:80", false}} {
		var out bytes.Buffer
		if err := Relay(t.Context(), strings.NewReader(""), &out, test.addr); err == nil {
			t.Errorf("%s: no error", test.addr)
		}
		err := relayError(test.addr, out.String())
		if err == nil || errors.Is(err, syscall.ECONNREFUSED) != test.refused || !strings.Contains(err.Error(), test.addr) {
			t.Errorf("%s: %q becomes %v, refused should be %v", test.addr, &out, err, test.refused)
		}
	}
	if err := relayError("x:1", "exec failed: \x1b[31mno such file\n"); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("an answer that is none of ours: %v", err)
	}
	if err := relayError("x:1", "ok\n"); err != nil {
		t.Errorf("ok: %v", err)
	}
}

// That nobody answers the gateway is told apart from everything else, of which an
// engine's own troubles are no errors of the gateway's network at all.
func TestRelayTellsWhoIsSilent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		met  error
		lost bool
	}{
		"nobody answers":         {&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}, true},
		"the kernel gave up":     {&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ETIMEDOUT)}, true},
		"a silent name server":   {&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "i/o timeout", Name: "gitlab.example.com", IsTimeout: true}}, false},
		"a network without road": {&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}, false},
	} {
		err := relayError("gitlab.example.com:443", relayAnswer(tt.met)+"\n")
		if op := new(net.OpError); !errors.As(err, &op) || errors.Is(err, syscall.ETIMEDOUT) != tt.lost {
			t.Errorf("%s becomes %v; lost should be %v", name, err, tt.lost)
		}
	}

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

func TestRelayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		stdin, hold := io.Pipe()
		time.AfterFunc(time.Minute, func() { _ = hold.Close() })
		if err := RelayWait(context.Background(), stdin); err != nil || time.Since(start) != time.Minute {
			t.Errorf("ended after %v with %v, want at the end of stdin", time.Since(start), err)
		}
		start = time.Now()
		stdin, hold = io.Pipe()
		if err := RelayWait(context.Background(), stdin); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != RelayLifetime {
			t.Errorf("ended after %v with %v, want after its lifetime", time.Since(start), err)
		}
		_ = hold.Close()
	})
}

func TestStreamConnHasDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := newStreamConn(near, "gateway:5052")
		go func() { _, _ = io.Copy(far, far) }()
		if _, err := conn.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "ping" {
			t.Fatalf("read %q, %v", got, err)
		}
		start := time.Now()
		_ = conn.SetReadDeadline(start.Add(time.Second))
		if _, err := conn.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("read ended after %v with %v", time.Since(start), err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if conn.RemoteAddr().String() != "gateway:5052" {
			t.Errorf("remote address %v", conn.RemoteAddr())
		}
		_ = far.Close()
	})
}

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
