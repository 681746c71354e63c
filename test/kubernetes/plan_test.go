//go:build kubernetes

package kubernetes

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/test/crowd"
)

// A plan shows what an upgrade would change, no secret, and changes nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.kubectl("create", "secret", "generic", "theirs", "--from-literal=key=canary-of-theirs")
	w.estate.SetVersion("18.4.1-ee")
	settings := []string{
		"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_LOGGING__LEVEL=debug\nAWS_SECRET_ACCESS_KEY=canary-of-aws",
		`AIGW_CI_KUBERNETES_VALUES={"replicaCount": 2, "extraSecretRefs": [{"name": "theirs"}]}`,
	}
	w.settle()
	before := w.snapshot("leases")
	r := w.run("plan", 0, "planned", settings...)
	w.unchanged(before, "leases")
	changes := fmt.Sprint(r.Changes)
	for _, shown := range []string{tag182, tag184, "replicas", "AIGW_LOGGING__LEVEL", "theirs"} {
		if !strings.Contains(changes, shown) {
			t.Errorf("the plan does not show %q: %s", shown, changes)
		}
	}
	if all := r.Log + read(t, filepath.Join(r.Dir, "report.json")); strings.Contains(all, "canary") {
		t.Error("the plan shows a secret")
	}

	r = w.run("upgrade", 0, "upgraded", settings...)
	if r.Before == nil || r.After == nil || r.Before.ID != "1" || r.After.ID != "2" || !strings.Contains(r.After.Image, w.digest(tag184)) || r.Before.Digest == "" {
		t.Errorf("the report has %+v before and %+v after", r.Before, r.After)
	}
	if ready := w.get("deployment/"+release, "{.status.readyReplicas}"); ready != "2" {
		t.Errorf("%s replicas are ready", ready)
	}
	if same := w.run("plan", 0, "planned", settings...); len(same.Changes) > 0 {
		t.Errorf("a plan after the upgrade shows %+v", same.Changes)
	}
	if all := r.Log + w.helm(4, "get", "all", release); strings.Contains(all, "canary") {
		t.Error("the release shows a secret")
	}
}

// Every pod has to run the right image: what somebody has set by hand shows.
func TestVerify(t *testing.T) {
	t.Parallel()
	w := installed(t, "AIGW_CI_KUBERNETES_VALUES=replicaCount: 2")
	if r := w.run("verify", 0, "verified"); r.Check("gateway.digest", "live").Verdict != "pass" {
		t.Errorf("%+v", r.Checks)
	}
	w.kubectl("set", "image", "deployment/"+release, release+"="+w.repository()+":"+tag184)
	w.kubectl("rollout", "status", "deployment/"+release, "--timeout=30s")
	r := w.start("verify", "AIGW_CI_VERIFY_TIMEOUT=10s").Wait()
	if r.Exit == 0 || r.Check("gateway.digest", "live").Verdict != "fail" {
		t.Errorf("exit code %d, %s: %+v", r.Exit, r.Outcome, r.Checks)
	}
}

// Of two runs at the same time one works, and the other says who does.
func TestSecondRunNamesTheFirst(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	first := w.start("upgrade")
	w.eventually("the first to have the lock", func() bool { return w.get("lease/aigw-ci."+release, "{.spec.holderIdentity}") != "" })
	w.run("upgrade", 7, "locked").Explains(t, "tester", w.namespace)
	first.Expect(0, "upgraded")
	w.runs(tag184)
}

// What a rollback brings back is the image from before, proven like any other.
func TestRollback(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.run("rollback", 1, "failed") // there is nothing to go back to
	w.estate.SetVersion("18.4.1-ee")
	w.run("upgrade", 0, "upgraded")
	users := crowd.Work(t, w.service(), 1)
	r := w.run("rollback", 0, "rolled_back")
	w.settled()
	users.AllServed(t)
	if r.Image.Tag != tag182 || r.Check("gateway.digest", "live").Verdict != "pass" {
		t.Errorf("rolled back to %s: %+v", r.Image.Tag, r.Checks)
	}
	w.runs(tag182)

	// A job that is tried again stays there.
	again := w.run("rollback", 0, "rolled_back")
	again.Says(t, "an earlier rollback already came here")
	if len(again.Changes) > 0 || again.After == nil || r.After == nil || again.After.ID != r.After.ID {
		t.Errorf("the second one changed %+v; it ended at %+v, and the first at %+v", again.Changes, again.After, r.After)
	}
	w.runs(tag182)
}
