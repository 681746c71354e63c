//go:build kubernetes

package kubernetes

import (
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
)

// tag1840 is what somebody would install by hand.
const tag1840 = "self-hosted-v18.4.0-ee"

// Somebody works on the release in the middle of a run, which has no lock against
// that. The run says what became of it, and never that something runs which does not;
// the next one makes everything good.
func TestHandsInTheMiddle(t *testing.T) {
	t.Parallel()
	verifying := func(w *world, j *program.Job) { j.Until("== Verify the gateway") }
	rolling := func(w *world, j *program.Job) {
		j.Until("== Promote")
		w.eventually("the new pod", func() bool { return len(strings.Fields(w.pods())) > 1 })
	}
	remove := func(what ...string) func(*world) {
		return func(w *world) {
			w.Helper()
			w.kubectl(append([]string{"delete", "--wait=false"}, what...)...)
		}
	}
	byHand := func(w *world) { w.Helper(); w.byHand(4, "0.15.1", tag1840) }
	record, revision := "aigw-ci."+release, "sh.helm.release.v1."+release+".v2"
	for _, tt := range []struct {
		name     string
		mode     gateway.Mode // of the new gateway
		rehearse bool
		when     func(*world, *program.Job)
		do       func(*world)
		exit     int
		outcome  string
		says     string
		runs     string // a tag
		unshown  bool   // Helm does not know of what runs
	}{
		{name: "Deployment removed in the rollout", when: rolling, do: remove("deployment", release), exit: 4, outcome: "rolled_back", says: "there is no Deployment " + release + " any more", runs: tag182},
		{name: "Deployment removed in the verification", when: verifying, do: remove("deployment", release), exit: 4, outcome: "rolled_back", says: "somebody removed it", runs: tag182},
		{name: "record removed", when: verifying, do: remove("secret", record), outcome: "upgraded", runs: tag184},
		{name: "record removed and bad gateway", mode: gateway.NotAGateway, when: verifying, do: remove("secret", record), exit: 4, outcome: "rolled_back", says: "somebody removed the record", runs: tag182},
		{name: "revision removed", when: verifying, do: remove("secret", revision), outcome: "upgraded", runs: tag184, unshown: true},
		{name: "revision removed and bad gateway", mode: gateway.NotAGateway, when: verifying, do: remove("secret", revision), exit: 4, outcome: "rolled_back", runs: tag182},
		{name: "upgraded in the rehearsal", rehearse: true, when: func(w *world, j *program.Job) { j.Until("== Rehearse") }, do: byHand, exit: 1, outcome: "failed", says: "during this run, and that is left alone: revision 2 is the newest, and it was 1", runs: tag1840},
		{name: "upgraded in the verification", when: verifying, do: byHand, exit: 5, outcome: "rollback_failed", says: "during this run, and that is left alone: revision 3 is ", runs: tag1840},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			w.estate.SetVersion("18.4.1-ee")
			w.release(image.Options{Tag: tag184, Mode: tt.mode, BootDelay: 3 * time.Second})
			more := []string{"AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_TIMEOUT=30s", "AIGW_CI_VERIFY_HOLD=8s"}
			if tt.rehearse {
				more[0] = "AIGW_CI_REHEARSE=true"
			}
			j := w.start("upgrade", more...)
			tt.when(w, j)
			tt.do(w)
			r := j.Wait()
			t.Logf("exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
			if r.Exit != tt.exit || r.Outcome != tt.outcome {
				t.Errorf("want exit code %d, %s", tt.exit, tt.outcome)
			}
			r.Says(t, tt.says)
			w.served(w.service())
			if !tt.unshown && tt.runs != tag1840 {
				w.runs(tt.runs)
			}
			w.publish(tag184, gateway.Healthy)
			if again := w.start("upgrade").Wait(); again.Exit != 0 {
				t.Errorf("the next run: exit code %d, %s: %s", again.Exit, again.Outcome, again.Error)
			}
			w.served(w.service())
			w.runs(tag184)
		})
	}
}
