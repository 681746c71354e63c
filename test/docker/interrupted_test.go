//go:build docker

package docker

import (
	"context"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
	"aigw-ci/test/program"
)

// moment is when something happens to a run: it has come when the function says so.
type moment func(*world, *program.Job) bool

// state is the moment at which a container of the family is in a state. The suffix is
// what its name adds to the gateway's; no state means that any will do.
func state(suffix, status string) moment {
	return func(w *world, _ *program.Job) bool {
		c, err := w.Find(context.Background(), w.name+suffix)
		return err == nil && c != nil && (status == "" || c.State.Status == status)
	}
}

// said is the moment at which the log says something.
func said(text string) moment {
	return func(_ *world, j *program.Job) bool { return strings.Contains(j.Log.String(), text) }
}

// then is the moment at which another one is so long ago.
func (m moment) then(later time.Duration) moment {
	var since time.Time
	return func(w *world, j *program.Job) bool {
		if since.IsZero() && m(w, j) {
			since = time.Now()
		}
		return !since.IsZero() && time.Since(since) >= later
	}
}

// await waits until the moment has come.
func (w *world) await(j *program.Job, m moment) {
	w.Helper()
	for !m(w, j) {
		select {
		case <-j.Ended:
			w.Fatalf("the run ended before its moment came:\n%s", j.Log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// next releases the gateway of GitLab 18.3, with layers that no other test has, and
// makes GitLab 18.3.
func (w *world) next(mode gateway.Mode) {
	w.Helper()
	w.release(image.Options{
		Tag: tag183, Mode: mode, After: 2 * time.Second, BootDelay: time.Second, Padding: int64(uniqueSize.Add(1)),
	})
	w.estate.SetVersion("18.3.6-ee")
}

var uniqueSize atomic.Int64

func init() { uniqueSize.Store(time.Now().UnixNano() % 100_000) }

// A run that is killed at any point leaves a state from which the same command ends
// at a working gateway.
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at   moment // nil: while the engine pulls
		mode gateway.Mode
	}{
		"pulling":           {},
		"rehearsing":        {at: state(".aigw-ci-rehearsal", "running")},
		"next created":      {at: state(".aigw-ci-next", "")},
		"old set aside":     {at: state(".aigw-ci-previous", "")},
		"old stopped":       {at: state(".aigw-ci-previous", "exited")},
		"promoted":          {at: said("Verify the gateway")},
		"verifying":         {at: said("Verify the gateway").then(2 * time.Second)},
		"going back":        {at: said("Put the previous gateway back"), mode: gateway.DiesWithUsers},
		"going back, later": {at: said("Put the previous gateway back").then(300 * time.Millisecond), mode: gateway.DiesWithUsers},
		"back, unverified":  {at: said("Verify the previous gateway"), mode: gateway.DiesWithUsers},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.install()
			w.next(test.mode)
			goOn := func() {}
			if test.at == nil {
				test.at, goOn = w.stallPulls()
			}
			users := crowd.Work(t, w.url(), 1)
			j := w.start("upgrade")
			w.await(j, test.at)
			j.Kill()
			goOn()

			r := w.start("upgrade").Wait()
			users.Rest()
			if test.mode == gateway.DiesWithUsers {
				if r.Exit != 4 || r.Outcome != "rolled_back" {
					t.Errorf("exit code %d, %s", r.Exit, r.Outcome)
				}
				if c := w.serves(tag182); c.ID != old.ID {
					t.Errorf("%s serves, not the old container %s", c.ID, old.ID)
				}
			} else {
				if r.Exit != 0 || r.Outcome != "upgraded" && r.Outcome != "unchanged" {
					t.Errorf("exit code %d, %s", r.Exit, r.Outcome)
				}
				w.serves(tag183)
			}
			w.alone()
		})
	}
}

// A cancelled job has its old gateway back, and has looked whether it works.
func TestCancelled(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at    moment // nil: while the engine pulls
		stage string // of the look at the old one
	}{
		"pulling":    {nil, "live"},
		"rehearsing": {state(".aigw-ci-rehearsal", "running").then(500 * time.Millisecond), "live"},
		"promoting":  {state(".aigw-ci-previous", ""), "rollback"},
		"verifying":  {said("Verify the gateway").then(time.Second), "rollback"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.install()
			w.next(gateway.Healthy)
			if test.at == nil {
				var goOn func()
				test.at, goOn = w.stallPulls()
				defer goOn()
			}
			j := w.start("upgrade", "AIGW_CI_VERIFY_HOLD=8s")
			w.await(j, test.at)
			j.Signal(syscall.SIGTERM)
			r := j.Expect(8, "cancelled")
			if c := w.serves(tag182); c.ID != old.ID || r.After == nil || r.After.ID != old.ID {
				t.Errorf("%s serves, not the old container %s; the report tells of %+v", c.ID, old.ID, r.After)
			}
			if c := r.Check("gateway.healthz", test.stage); c.Verdict != "pass" {
				t.Errorf("it was not looked at: %+v", c)
			}
			w.alone()
		})
	}
}

// A cancelled first install leaves nothing.
func TestCancelledInstall(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]moment{
		"rehearsing": state(".aigw-ci-rehearsal", "running"),
		"verifying":  said("Verify the gateway").then(time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			j := w.start("upgrade", "AIGW_CI_VERIFY_HOLD=8s")
			w.await(j, at)
			j.Signal(syscall.SIGTERM)
			j.Expect(8, "cancelled")
			if c, err := w.Find(t.Context(), w.name); c != nil || err != nil {
				t.Errorf("there is a container: %v, %v", c, err)
			}
			w.alone()
		})
	}
}
