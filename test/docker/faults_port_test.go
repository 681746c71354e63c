//go:build docker

package docker

import (
	"context"
	"net"
	"testing"

	"aigw-ci/internal/lab/image"
)

// A stranger takes the other published port, that of gRPC, between the stop of the old
// gateway and the start of the new one. As soon as the stranger leaves, the old one is
// back with both, and is proven.
func TestOtherPortTaken(t *testing.T) {
	t.Parallel()
	n := newWorld(t).faulty(image.Options{})
	stop, cancel := context.WithCancel(t.Context())
	defer cancel()
	taken := make(chan net.Listener, 1)
	go func() { taken <- seize(stop, "127.0.0.1:"+n.grpc) }()
	j := n.start("upgrade")
	stranger := <-taken
	if stranger == nil {
		t.Fatal("the port was never free")
	}
	n.await(j, said("trying again"))
	_ = stranger.Close()
	r := j.Wait()
	r.Says(t, "address already in use", n.grpc)
	if c := r.Check("gateway.healthz", "rollback"); c.Verdict != "pass" {
		t.Errorf("the old gateway was not proven: %+v", c)
	}
	n.survives(r, 4)
}
