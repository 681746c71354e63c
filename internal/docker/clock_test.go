package docker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/upgrade"
)

// Whether a holder lives is seen from its counter and never from a clock: those of two
// machines may differ by years, and one may jump.
func TestLockTrustsNoClock(t *testing.T) {
	for name, wrong := range map[string]time.Duration{
		"behind": -10 * 365 * 24 * time.Hour,
		"ahead":  10 * 365 * 24 * time.Hour,
	} {
		for _, lives := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				s := newStub()
				since := time.Now().Add(wrong)
				other := &lock{
					engine: s.engine(t, nil), name: lockName, place: upgrade.Place{Name: "gitlab-aigw"},
					holder: upgrade.Holder{Who: "a job elsewhere", Since: since},
					ttl:    lockTTL, every: lockTTL / 10, lost: make(chan struct{}),
				}
				if err := other.acquire(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !lives {
					other.stop()
					other.beating.Wait()
				}
				_, release, err := take(s.engine(t, nil), "the next job")
				if !lives {
					if err != nil {
						t.Fatalf("clock %s: the lock of a dead holder is not taken over: %v", name, err)
					}
					_ = release(context.Background())
					return
				}
				locked, ok := errors.AsType[*upgrade.LockedError](err)
				if !ok || locked.Holder.Since.Sub(since).Abs() > time.Second {
					t.Errorf("clock %s: the lock of a living holder: %v", name, err)
				}
				_ = other.release(context.Background())
			})
		}
	}
}
