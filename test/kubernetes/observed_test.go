//go:build kubernetes

package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/test/crowd"
)

// A wait that is too short leaves upgrades marked as failed whose gateway serves well.
// The way back from a bad release is to the one that was seen to serve, and not to the
// last that Helm believes in: that one is months old.
// Source: Team-Commonly/commonly#835.
func TestGoesBackToWhatServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.robot()
	for revision := 1; revision <= 4; revision++ {
		tag := tag182
		if revision == 1 {
			tag = "self-hosted-v18.2.1-ee"
		}
		w.byHand(4, "0.15.1", tag, fmt.Sprint("--set=podAnnotations.change=r", revision))
	}
	w.rewrite(1, status("deployed"))
	for _, revision := range []int{2, 3, 4} {
		w.rewrite(revision, status("failed"))
	}
	if got := w.statuses(); got != "deployed failed failed failed" {
		t.Fatalf("the history is %s", got)
	}
	w.served(w.service())
	w.estate.SetVersion("18.4.1-ee")
	w.publish(tag184, gateway.CrashAtBoot)
	users := crowd.Work(t, w.service(), 1)
	r := w.run("upgrade", 4, "rolled_back", "AIGW_CI_REHEARSE=false")
	users.AllServed(t)
	if got := w.images(); !strings.HasSuffix(got, ":"+tag182) {
		t.Errorf("the pods run %s, which is not what served", got)
	}
	if change := w.get("deployment/"+release, "{.spec.template.metadata.annotations.change}"); change != "r4" {
		t.Errorf("it went back to the settings of revision %s, not r4", change)
	}
	if r.Before == nil || r.Before.ID != "4" {
		t.Errorf("the report takes %+v for what served", r.Before)
	}
}
