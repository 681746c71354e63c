//go:build kubernetes

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/test/crowd"
	"aigw-ci/test/program"
)

// Somebody's own Helm that is at work is left alone, and named. Once it has been dead
// for long, what it left is ended.
func TestPendingBySomebodyElse(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	w.publish("self-hosted-v18.4.0-ee", gateway.NeverHealthy)
	w.helm(4, "repo", "add", "ai-gateway", w.chartsURL)
	theirs := exec.Command(shared.helm[4], "--namespace", w.namespace, "upgrade", release, "ai-gateway/ai-gateway", "--version", "0.15.1",
		"--reuse-values", "--set=image.tag=self-hosted-v18.4.0-ee", "--wait", "--timeout=170s")
	theirs.Env = []string{"HOME=" + w.home, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + shared.kubeconfig}
	if err := theirs.Start(); err != nil {
		t.Fatal(err)
	}
	w.eventually("their upgrade to begin", func() bool { return strings.HasSuffix(w.statuses(), "pending-upgrade") })
	users := crowd.Work(t, w.service(), 1)
	r := w.run("upgrade", 7, "locked")
	r.Explains(t, "pending-upgrade", `by the program ["Helm"]`)
	_ = theirs.Process.Kill()
	_ = theirs.Wait()
	w.settle()
	before := w.snapshot()
	w.run("upgrade", 7, "locked") // it may still be alive, for all that anybody can see
	w.unchanged(before)
	w.rewrite(2, old(16*time.Minute))
	r = w.run("upgrade", 0, "upgraded")
	r.Says(t, "pending-upgrade")
	served, failed := users.Rest()
	t.Logf("%d requests served, %d failed:\n%s", served, len(failed), crowd.Describe(failed))
	w.runs(tag184)
}

// killAt kills a run so long after its log has said something.
func killAt(j *program.Job, text string, later time.Duration) {
	j.Helper()
	j.Until(text)
	time.Sleep(later)
	j.Kill()
}

// The run that comes after a killed one ends at one right gateway, and at nothing else,
// whenever that was.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		at        string
		later     time.Duration
		unhurried bool // a rehearsal, and a next run that waits for the killed one's lock
		mode      gateway.Mode
	}{
		{name: "rehearsing", at: "== Rehearse", later: 700 * time.Millisecond, unhurried: true},
		{name: "at the beginning", at: "== Promote"},
		{name: "while Helm works", at: "== Promote", later: 150 * time.Millisecond},
		{name: "while pods start", at: "== Promote", later: 800 * time.Millisecond},
		{name: "before it was proven", at: "== Verify the gateway"},
		{name: "going back", at: "== Put the previous gateway back", later: 100 * time.Millisecond, mode: gateway.CrashAtBoot},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			w.estate.SetVersion("18.4.1-ee")
			w.publish(tag184, tt.mode)
			killAt(w.start("upgrade", fmt.Sprint("AIGW_CI_REHEARSE=", tt.unhurried)), tt.at, tt.later)
			t.Logf("killed: Helm's revisions are %s, and the record is %s", w.statuses(), w.record())
			if !tt.unhurried {
				w.kubectl("delete", "lease", "aigw-ci."+release)
			}
			w.publish(tag184, gateway.Healthy)
			users := crowd.Work(t, w.service(), 1)
			if r := w.start("upgrade").Wait(); r.Exit != 0 {
				t.Errorf("exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
			}
			w.settled()
			users.AllServed(t)
			w.runs(tag184)
		})
	}
}
