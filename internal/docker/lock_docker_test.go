//go:build docker

package docker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// On the real engine, twenty contenders for a free lock, and twenty for one whose
// holder died: one gets it, the others are told who has it.
func TestRealLock(t *testing.T) {
	t.Parallel()
	name := unique("aigw-ci-test")
	options := LockOptions{Container: name, Who: "a contender", TTL: 6 * time.Second}

	contend := func() (release func(context.Context) error, lost <-chan struct{}) {
		var won, locked atomic.Int32
		var contenders sync.WaitGroup
		var mu sync.Mutex
		for range 20 {
			e := connect(t, ConnectOptions{})
			contenders.Go(func() {
				l, r, err := e.Lock(context.Background(), options)
				var held *upgrade.LockedError
				switch {
				case err == nil:
					won.Add(1)
					t.Cleanup(func() { _ = e.removeContainer(context.Background(), name+".aigw-ci-lock") })
					mu.Lock()
					lost, release = l, r
					mu.Unlock()
				case errors.As(err, &held):
					locked.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		contenders.Wait()
		if won.Load() != 1 || locked.Load() != 19 {
			t.Fatalf("%d won and %d were told that it is locked, want 1 and 19", won.Load(), locked.Load())
		}
		return release, lost
	}

	release, lost := contend()
	time.Sleep(options.TTL)
	select {
	case <-lost:
		t.Fatal("the lock was lost while its holder lived")
	default:
	}
	if err := release(context.Background()); err != nil {
		t.Fatal(err)
	}

	// A holder that dies: it made the lock's container and gives no sign any more.
	e := connect(t, ConnectOptions{})
	dead := &lock{engine: e, name: name + ".aigw-ci-lock", place: upgrade.Place{Kind: "docker", Name: name}, holder: upgrade.Holder{Who: "a dead job", Since: time.Now()}}
	id, err := dead.create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.writeBeat(t.Context(), id, 41); err != nil {
		t.Fatal(err)
	}
	if n, err := e.readBeat(t.Context(), id); n != 41 || err != nil {
		t.Fatalf("the beat is read back as %d, %v", n, err)
	}
	release, lost = contend()

	// Somebody removes the lock of a living holder.
	if _, err := e.api.ContainerRemove(t.Context(), name+".aigw-ci-lock", client.ContainerRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-lost:
	case <-time.After(options.TTL):
		t.Error("the holder did not notice that its lock was removed")
	}
	if err := release(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := e.api.ContainerInspect(t.Context(), name+".aigw-ci-lock", client.ContainerInspectOptions{}); !isNotFound(err) {
		t.Errorf("after release the lock is still there: %v", err)
	}
}
