package road

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
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
		err := ParseFirstLine(test.addr, out.String())
		if err == nil || errors.Is(err, syscall.ECONNREFUSED) != test.refused || !strings.Contains(err.Error(), test.addr) {
			t.Errorf("%s: %q becomes %v, refused should be %v", test.addr, &out, err, test.refused)
		}
	}
	if err := ParseFirstLine("x:1", "exec failed: \x1b[31mno such file\n"); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("an answer that is none of ours: %v", err)
	}
	if err := ParseFirstLine("x:1", "ok\n"); err != nil {
		t.Errorf("ok: %v", err)
	}
}

// That nobody answers is told apart from everything else.
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
		err := ParseFirstLine("gitlab.example.com:443", FirstLine(tt.met))
		if op := new(net.OpError); !errors.As(err, &op) || errors.Is(err, syscall.ETIMEDOUT) != tt.lost {
			t.Errorf("%s becomes %v; lost should be %v", name, err, tt.lost)
		}
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		stdin, hold := io.Pipe()
		time.AfterFunc(time.Minute, func() { _ = hold.Close() })
		if err := Wait(context.Background(), stdin); err != nil || time.Since(start) != time.Minute {
			t.Errorf("ended after %v with %v, want at the end of stdin", time.Since(start), err)
		}
		start = time.Now()
		stdin, hold = io.Pipe()
		if err := Wait(context.Background(), stdin); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != Lifetime {
			t.Errorf("ended after %v with %v, want after its lifetime", time.Since(start), err)
		}
		_ = hold.Close()
	})
}

func TestConnHasDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := NewConn(near, "gateway:5052")
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

// These are the words of the relay in Python that the Kubernetes target runs.
func TestParseFirstLine(t *testing.T) {
	t.Parallel()
	if err := ParseFirstLine("a:1", "ok\n"); err != nil {
		t.Error(err)
	}
	if err := ParseFirstLine("a:1", "refused: [Errno 111]\n"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused: %v", err)
	}
	if err := ParseFirstLine("a:1", "lost: timed out\n"); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("lost: %v", err)
	}
	for _, line := range []string{"failed: [Errno -2] Name or service not known\n", "\x1b[2J hello", ""} {
		if err := ParseFirstLine("a:1", line); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// A stream that breaks is told from one that ends.
func TestConnTellsWhyItEnded(t *testing.T) {
	t.Parallel()
	broke := errors.New("the engine went away")
	for _, want := range []error{broke, io.EOF} {
		stream, far := net.Pipe()
		conn := NewConn(ending{stream, want}, "gateway:5052")
		_ = far.Close()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("read: %v, want %v", err, want)
		}
		_ = conn.Close()
	}
}

// ending is a stream whose data end for a reason.
type ending struct {
	io.ReadWriteCloser
	why error
}

func (e ending) Read([]byte) (int, error) { return 0, e.why }
