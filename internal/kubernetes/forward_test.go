package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/client-go/tools/portforward"
)

// forwarding is an API server whose pods' ports are those of this machine. It knows
// SPDY and no WebSocket, as servers before 1.31.
func forwarding(t *testing.T) *Cluster {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/version":
			fmt.Fprint(w, "{}")
		case !strings.HasSuffix(r.URL.Path, "/namespaces/gateway/pods/pod-1/portforward"):
			http.NotFound(w, r)
		default:
			forwardPorts(w, r)
		}
	}))
	t.Cleanup(s.Close)
	c, err := Connect(t.Context(), ConnectOptions{Kubeconfig: kubeconfig(t, s.URL, "a", "a"), Namespace: "gateway"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// forwardPorts does what a node does.
func forwardPorts(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 2)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close()
	complaints, data := <-streams, <-streams
	addr := "127.0.0.1:" + data.Headers().Get(corev1.PortHeader)
	to, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Fprintf(complaints, "error forwarding port to pod: dial tcp4 %s: %v", addr, err)
		_ = complaints.Close()
		_ = data.Close()
		time.Sleep(100 * time.Millisecond) // until it is sent
		return
	}
	_ = complaints.Close()
	go func() {
		_, _ = io.Copy(to, data)
		_ = to.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(data, to)
	_ = data.Close()
	<-conn.CloseChan()
}

func TestForwardCarriesHTTP(t *testing.T) {
	t.Parallel()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer gateway.Close()
	c := forwarding(t)
	port := gateway.Listener.Addr().(*net.TCPAddr).Port
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return c.dialPod(ctx, "pod-1", port)
	}}}
	defer client.CloseIdleConnections()
	body := strings.Repeat("0123456789", 50_000)
	for range 3 {
		got, err := client.Post("http://pod-1:"+strconv.Itoa(port), "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(got.Body)
		_ = got.Body.Close()
		if err != nil || string(text) != body {
			t.Fatalf("%d bytes came back of %d, %v", len(text), len(body), err)
		}
	}
}

func TestForwardKeepsDeadlines(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := forwarding(t).dialPod(t.Context(), "pod-1", listener.Addr().(*net.TCPAddr).Port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v, want a deadline", err)
	}
}

// The gate tells a port that refuses from a road that is broken.
func TestForwardTellsARefusal(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	c := forwarding(t)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return c.dialPod(ctx, "pod-1", port)
	}}}
	if _, err := client.Get("http://pod-1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want a refusal", err)
	}
}

// An API server that refuses, because it restarts, is no gateway that does: neither on
// the way to the gateway nor on the way from it to GitLab.
func TestForwardWithoutAPIServer(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	c, err := Connect(t.Context(), ConnectOptions{Kubeconfig: kubeconfig(t, s.URL, "a", "a"), Namespace: "gateway"})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	_, forwarding := c.dialPod(t.Context(), "pod-1", 5052)
	c.presence.met = false // nothing is gained by waiting for what is asked before
	_, relaying := c.gateway(workload{deployment: "ai-gateway", container: "ai-gateway"}).DialFrom(t.Context(), "gitlab.example.com:443")
	for _, err := range []error{forwarding, relaying} {
		if err == nil || errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, new(*net.OpError)) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v, want words, and no refusal", err)
		}
	}
}

func TestForwardToNobody(t *testing.T) {
	t.Parallel()
	c := forwarding(t)
	if _, err := c.dialPod(t.Context(), "pod-2", 5052); err == nil || !strings.Contains(err.Error(), "pod-2:5052") {
		t.Errorf("got %v, want an error that names the pod", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.dialPod(ctx, "pod-1", 5052); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
}

func TestRelayAddress(t *testing.T) {
	t.Parallel()
	for addr, ok := range map[string]bool{
		"gitlab.example.com:443": true, "10.0.0.1:80": true, "[2001:db8::1]:443": true,
		"": false, "gitlab.example.com": false, "a:0": false, "a:70000": false, "-x:80": false, "a b:80": false, "$(x):80": false, ":80": false, "a\n:80": false,
	} {
		if _, _, err := relayAddress(addr); (err == nil) != ok {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

func TestReadLog(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	in := "2026-01-01T00:00:01.5Z first\n2026-01-01T00:00:02Z \x1b[31mred\x1b[0m\nno stamp\n2026-01-01T00:00:03Z " + long + "\n2026-01-01T00:00:04Z last"
	got, err := readLog(bufio.NewReader(strings.NewReader(in)), 4)
	if err != nil || len(got) != 4 {
		t.Fatalf("%d lines, %v", len(got), err)
	}
	if got[0].text != "red" || got[1].text != "no stamp" || !got[1].at.Equal(got[0].at) || len(got[2].text) > maxLogLine+3 || got[3].text != "last" {
		t.Errorf("got %.100q", texts(got))
	}
}
