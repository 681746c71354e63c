//go:build docker

package docker

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
)

// A stranger who has the port of a first install is left alone, and named as the
// reason.
func TestPortTakenAtInstall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stranger, err := net.Listen("tcp", "127.0.0.1:"+w.port)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	w.run("upgrade", 1, "failed").Says(t, "address already in use", w.port)
	if c, err := w.Find(t.Context(), w.name); c != nil || err != nil {
		t.Errorf("there is a container: %v, %v", c, err)
	}
	w.alone()

	stranger.Close()
	w.run("upgrade", 0, "installed")
	w.serves(tag182)
	w.alone()
}

// A stranger takes the port in the moment in which nobody has it: between the stop of
// the old gateway and the start of the new one. As soon as it leaves, the old one is
// back.
func TestPortTakenAtUpgrade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.install()
	w.next(gateway.Healthy)
	taken := make(chan net.Listener, 1)
	stop, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { taken <- seize(stop, "127.0.0.1:"+w.port) }()

	j := w.start("upgrade")
	stranger := <-taken
	if stranger == nil {
		t.Fatal("the port was never free")
	}
	w.await(j, said("trying again")) // the old one cannot start either
	stranger.Close()
	j.Expect(4, "rolled_back").Says(t, "address already in use")
	if c := w.serves(tag182); c.ID != old.ID {
		t.Errorf("%s serves, not the old container", c.ID)
	}
	w.alone()
}

// seize listens on an address as soon as that is possible; nil when ctx ends first.
// Connections that the gateway had leave the address occupied for a minute, for
// everybody who does not ask for it like an engine's proxy does.
func seize(ctx context.Context, addr string) net.Listener {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
	}}
	for ctx.Err() == nil {
		if l, err := config.Listen(ctx, "tcp", addr); err == nil {
			return l
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}
