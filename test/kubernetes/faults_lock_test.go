//go:build kubernetes

package kubernetes

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/lab/wire"
	"aigw-ci/test/crash"
	"aigw-ci/test/crowd"
)

// A run that was away from the API server until its lock was another's changes nothing
// any more, not even what it had asked for before and nobody had done yet.
func TestLockLost(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	users := crowd.Work(t, w.service(), 1)
	m, faults, kubeconfig := w.faulty()
	cut := make(chan struct{})
	m.Arm(crash.Point{Deed: "PATCH deployments " + release, Nth: 1}, crash.Strike{Name: "cut off", Drop: true, Do: func(crash.Victim) {
		faults.Set(wire.Dropped())
		close(cut)
	}})
	m.Meet(crash.Victim{})
	first := w.start("upgrade", "KUBECONFIG="+kubeconfig, "AIGW_CI_REHEARSE=false")
	select {
	case <-cut:
	case <-first.Ended:
		t.Fatalf("it never came to its upgrade:\n%s", first.Log)
	}
	second := w.start("upgrade", "USER=another")
	first.Until("the lock is lost")
	before := m.Deeds()
	faults.Set()
	r := first.Expect(7, "locked")
	t.Log(r.Error)
	if diff := cmp.Diff(before, m.Deeds()); diff != "" {
		t.Errorf("without its lock it did (-before +after):\n%s", diff)
	}
	second.Expect(0, "upgraded").Says(t, "taking over the lock of a run that died")
	w.settled()
	users.AllServed(t)
	w.runs(tag184)
	if holder := w.get("lease/aigw-ci."+release, "{.spec.holderIdentity}"); holder != "" {
		t.Errorf("the lock is still held by %s", holder)
	}
}

// Clocks of other machines are not to be trusted: who holds a lock lives while it is
// renewed, whatever times are written there.
func TestLockOfAnotherClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		year   int
		living bool
	}{
		{"dead in the future", 2099, false},
		{"living in the past", 1999, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			at := time.Date(tt.year, 1, 1, 0, 0, 0, 0, time.UTC)
			renew := func(more string) (string, error) {
				at = at.Add(time.Second)
				now := at.Format("2006-01-02T15:04:05.000000Z")
				return w.try(shared.node, "kubectl", "--namespace", w.namespace, "patch", "lease", "aigw-ci."+release, "--type=merge",
					"--patch", fmt.Sprintf(`{"spec":{"renewTime":%q%s}}`, now, more))
			}
			if said, err := renew(`,"acquireTime":"2026-01-01T00:00:00.000000Z","holderIdentity":"a machine with a bad clock","leaseDurationSeconds":30`); err != nil {
				t.Fatal(said)
			}
			j := w.start("upgrade")
			if !tt.living {
				j.Expect(0, "unchanged").Says(t, "taking over the lock of a run that died", "a machine with a bad clock")
				return
			}
			for ended := false; !ended; {
				if said, err := renew(""); err != nil {
					t.Fatal(said)
				}
				select {
				case <-j.Ended:
					ended = true
				case <-time.After(2 * time.Second):
				}
			}
			j.Expect(7, "locked").Explains(t, "a machine with a bad clock", w.namespace)
		})
	}
}
