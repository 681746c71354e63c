//go:build docker

package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// A gateway without any network but its own loopback is only reached from inside.
func TestRealRelay(t *testing.T) {
	t.Parallel()
	e := connect(t, ConnectOptions{Executable: self(t), Run: "a test"})
	target := unique("aigw-ci-test-relay")
	id := startGateway(t, e, func(o *client.ContainerCreateOptions) {
		o.HostConfig.NetworkMode = "none"
		o.Config.Hostname = "alone"
	})
	h := e.gateway(id, target, false)
	if body, via := get(t, h); body != "alone" || via != "relay through the engine" {
		t.Errorf("got %q by %q", body, via)
	}

	// Several requests on one connection, and several connections at once.
	web := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return h.DialFrom(ctx, addr)
	}}}
	results := make(chan error, 8)
	for range 8 {
		go func() {
			resp, err := web.Get("http://127.0.0.1:5052/")
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			results <- err
		}()
	}
	for range 8 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	web.CloseIdleConnections()

	if _, err := h.DialFrom(t.Context(), "127.0.0.1:9"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port: %v, want it refused", err)
	}
	if _, err := h.DialFrom(t.Context(), "nowhere.invalid:80"); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("an unknown name: %v", err)
	}

	// After a restart the gateway has another network, and the relay follows it.
	zero := 0
	if _, err := e.api.ContainerRestart(t.Context(), id, client.ContainerRestartOptions{Timeout: &zero}); err != nil {
		t.Fatal(err)
	}
	if body, _ := get(t, h); body != "alone" {
		t.Errorf("after a restart: %q", body)
	}

	// A helper that somebody removed is replaced.
	if err := e.removeContainer(t.Context(), e.relays[id].helper); err != nil {
		t.Fatal(err)
	}
	if body, _ := get(t, h); body != "alone" {
		t.Errorf("after the helper was removed: %q", body)
	}

	helper := e.relays[id].helper
	if err := e.closeRelays(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := e.api.ContainerInspect(t.Context(), helper, client.ContainerInspectOptions{}); !isNotFound(err) {
		t.Errorf("the helper is still there: %v", err)
	}
}

// A killed run leaves no helper running: the engine ends its input, it ends, and
// the engine removes it. What a dead run left in any other way, the next removes.
func TestRealRelayOfADeadRun(t *testing.T) {
	t.Parallel()
	e := connect(t, ConnectOptions{})
	target := unique("aigw-ci-test-relay")
	id := startGateway(t, e, nil)
	dying := connect(t, ConnectOptions{Executable: self(t)})
	r, err := dying.relayTo(t.Context(), id, target)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.alive.Close() // what the kernel does when a process is killed
	gone := false
	for range 50 {
		if _, err := e.api.ContainerInspect(t.Context(), r.helper, client.ContainerInspectOptions{}); isNotFound(err) {
			gone = true
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !gone {
		t.Error("the helper outlives its run")
	}

	r, err = dying.startRelay(t.Context(), id, target+suffixRehearsal)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.RemoveHelpers(t.Context(), target+"-other"); err != nil {
		t.Error(err)
	}
	if _, err := e.api.ContainerInspect(t.Context(), r.helper, client.ContainerInspectOptions{}); err != nil {
		t.Errorf("the helper of another gateway was removed: %v", err)
	}
	if err := e.RemoveHelpers(t.Context(), target); err != nil {
		t.Error(err)
	}
	if _, err := e.api.ContainerInspect(t.Context(), r.helper, client.ContainerInspectOptions{}); !isNotFound(err) {
		t.Errorf("the helper is still there: %v", err)
	}
}
