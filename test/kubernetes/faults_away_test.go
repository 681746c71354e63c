//go:build kubernetes

package kubernetes

import (
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
)

// away is how long an API server may be gone: the control plane of one node is upgraded.
const away = 20 * time.Second

// An API server that is gone for a while costs time, and nothing else: whatever the run
// is at, and whether it refuses or keeps silent.
func TestAPIServerAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		at     string
		later  time.Duration
		silent bool
		bad    bool // the new gateway crashes
		more   []string
	}{
		{name: "rehearsal", at: "== Rehearse"},
		{name: "rollout", at: "== Promote", later: 1500 * time.Millisecond, more: []string{"AIGW_CI_REHEARSE=false"}},
		{name: "rollout and silent", at: "== Promote", later: 1500 * time.Millisecond, silent: true, more: []string{"AIGW_CI_REHEARSE=false"}},
		{name: "verification", at: "now it has to stay up", later: 400 * time.Millisecond, more: []string{"AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_HOLD=5s"}},
		{name: "verification and silent", at: "now it has to stay up", later: time.Second, silent: true, more: []string{"AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_HOLD=5s"}},
		{name: "rollback", at: "== Put the previous gateway back", bad: true, more: []string{"AIGW_CI_REHEARSE=false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			w.estate.SetVersion("18.4.1-ee")
			w.release(image.Options{Tag: tag184, BootDelay: 6 * time.Second}) // there has to be a wait
			if tt.bad {
				w.publish(tag184, gateway.CrashAtBoot)
			}
			users := crowd.Work(t, w.service(), 1)
			wire, kubeconfig := w.cord()
			j := w.start("upgrade", append(tt.more, "KUBECONFIG="+kubeconfig, "AIGW_CI_VERIFY_TIMEOUT=120s")...)
			j.Until(tt.at)
			time.Sleep(tt.later)
			if tt.silent {
				wire.hush()
				time.Sleep(away)
				wire.flow()
			} else {
				wire.cut()
				time.Sleep(away)
				wire.mend()
			}
			if tt.bad {
				j.Expect(4, "rolled_back")
				w.runs(tag182)
				w.publish(tag184, gateway.Healthy)
				w.run("upgrade", 0, "upgraded")
			} else {
				j.Expect(0, "upgraded")
				w.run("upgrade", 0, "unchanged")
			}
			w.settled()
			users.AllServed(t)
			w.runs(tag184)
		})
	}
}

// Of an API server that stays away the run says so, and what was known; users are
// served, and the next run ends what this one began.
func TestAPIServerStaysAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, at string }{
		{"rollout", "== Promote"},
		{"verification", "== Verify the gateway"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			w.estate.SetVersion("18.4.1-ee")
			users := crowd.Work(t, w.service(), 1)
			wire, kubeconfig := w.cord()
			j := w.start("upgrade", "KUBECONFIG="+kubeconfig, "AIGW_CI_REHEARSE=false")
			j.Until(tt.at)
			time.Sleep(500 * time.Millisecond)
			wire.cut()
			r := j.Wait()
			t.Logf("exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
			if r.Exit != 5 && r.Exit != 6 && r.Exit != 7 {
				t.Errorf("exit code %d", r.Exit)
			}
			if r.Error == "" || !strings.Contains(r.Log, "connection refused") {
				t.Errorf("it does not say what is wrong: %s", r.Error)
			}
			w.kubectl("delete", "lease", "aigw-ci."+release) // to wait for its end would be all the next run does more
			if again := w.start("upgrade").Wait(); again.Exit != 0 {
				t.Errorf("the next run: exit code %d, %s: %s", again.Exit, again.Outcome, again.Error)
			}
			w.settled()
			users.AllServed(t)
			w.runs(tag184)
		})
	}
}
