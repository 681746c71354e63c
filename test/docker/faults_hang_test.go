//go:build docker

package docker

import (
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crash"
)

// An engine that answers nothing for a while, as one whose disk is slow, is waited for.
// When that takes longer than a lock without a sign of life counts, the run gives up,
// because another one may have taken its place.
func TestEngineHangs(t *testing.T) {
	t.Parallel()
	const lost = "the lock is lost"
	for name, test := range map[string]struct {
		at    moment
		long  bool
		exits []int
	}{
		"a hiccup":                {state(".aigw-ci-rehearsal", "running"), false, []int{0, 7}},
		"for long, old set aside": {state(".aigw-ci-previous", ""), true, []int{0, 4, 5, 7}},
		"for long, verifying":     {said("Verify the gateway"), true, []int{5, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOwnEngine(t, "")
			n := o.world().faulty(image.Options{BootDelay: time.Second})
			j := n.start("upgrade")
			n.await(j, test.at)
			o.freeze()
			if test.long {
				n.await(j, said(lost))
			} else {
				time.Sleep(3 * time.Second)
			}
			o.thaw()
			r := j.Wait()
			if r.Exit == 7 {
				r.Says(t, lost)
			}
			n.survives(r, test.exits...)
		})
	}
}

// A call that the engine never answers keeps a run for as long as its pipeline lets it.
// When it is cancelled then, the gateway is looked at, and was not touched.
func TestCallNeverAnswered(t *testing.T) {
	t.Parallel()
	n := newWorld(t).faulty(image.Options{Padding: int64(uniqueSize.Add(1))})
	m, host := n.middle()
	asked, over := make(chan struct{}), make(chan struct{})
	m.Arm(crash.Point{Deed: "POST create rehearsal", Nth: 1}, crash.Strike{Name: "no answer", Drop: true, Do: func(crash.Victim) {
		close(asked)
		<-over
	}})
	j := n.start("upgrade", "DOCKER_HOST="+host)
	m.Meet(crash.Victim{Process: j.Process, Ended: j.Ended})
	select {
	case <-asked:
	case <-j.Ended:
		t.Fatalf("the run ended before its moment came:\n%s", j.Log)
	}
	j.Signal(syscall.SIGTERM)
	r := j.Wait()
	close(over)
	n.survives(r, 8)
}
