//go:build docker

package docker

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"aigw-ci/internal/lab/image"
	"aigw-ci/internal/lab/wire"
)

// The engine's connection to the registry breaks in the middle of a layer, and the next
// one does not.
func TestRegistryCut(t *testing.T) {
	t.Parallel()
	n := newWorld(t).faulty(image.Options{Padding: 1<<20 + int64(uniqueSize.Add(1))})
	n.estate.Registry.SetFaults(onlyEngine(wire.Truncated().On(http.MethodGet, "/blobs/").For(1)))
	n.survives(n.start("upgrade").Wait(), 0)
}

// GitLab is gone in the middle of a run. While the new gateway is where no user
// reaches it, GitLab is waited for; later nothing is decided by what cannot be seen.
func TestGitLabCut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at    moment
		fault wire.Fault
		heals moment // nil: when the run is over
		exits []int
	}{
		"rehearsing, for a while": {state(".aigw-ci-rehearsal", "running"), wire.Hanging(), said("waiting for the gateway"), []int{0}},
		"verifying, no answer":    {said("Verify the gateway"), wire.Hanging(), nil, []int{0, 6}},
		"verifying, broken off":   {said("Verify the gateway"), wire.Dropped(), nil, []int{0, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newWorld(t).faulty(image.Options{})
			j := n.start("upgrade", "AIGW_CI_VERIFY_TIMEOUT=20s")
			n.await(j, test.at)
			n.estate.GitLab.SetFaults(test.fault)
			if test.heals != nil {
				n.await(j, test.heals)
				n.estate.GitLab.SetFaults()
			}
			r := j.Wait()
			n.estate.GitLab.SetFaults()
			n.survives(r, test.exits...)
		})
	}
}

// What lies between the job and the gateway swallows every packet once the new gateway
// is in its place.
func TestGatewayCut(t *testing.T) {
	t.Parallel()
	n := newWorld(t).faulty(image.Options{})
	c := newCable(t, "127.0.0.1:"+n.port)
	j := n.start("upgrade", "AIGW_CI_GATEWAY_URL=http://"+c.addr, "AIGW_CI_VERIFY_TIMEOUT=20s")
	n.await(j, said("Verify the gateway"))
	c.cut.Store(true)
	r := j.Wait()
	n.survives(r, 4, 5, 6)
}

// cable leads to another address until it is cut. Then nothing comes out of it, and
// nobody is told.
type cable struct {
	addr string
	cut  atomic.Bool
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(shared.bridge, "0")) // on loopback GitLab would not find it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c := &cable{addr: listener.Addr().String()}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go c.carry(near, to)
		}
	}()
	return c
}

func (c *cable) carry(near net.Conn, to string) {
	if c.cut.Load() {
		_, _ = io.Copy(io.Discard, near) // until the other side gives up
		_ = near.Close()
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		_ = near.Close()
		return
	}
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	}()
	_, _ = io.Copy(writes(func(p []byte) (int, error) {
		if c.cut.Load() {
			return len(p), nil
		}
		return near.Write(p)
	}), far)
	if !c.cut.Load() {
		_ = near.Close()
	}
}

type writes func([]byte) (int, error)

func (w writes) Write(p []byte) (int, error) { return w(p) }
