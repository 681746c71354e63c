//go:build kubernetes

package kubernetes

import (
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
)

// Users who work all the time, through the Service, notice nothing of an upgrade, of a
// release that never starts, and of one that works for a while.
func TestNoFailedRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		mode    gateway.Mode
		exit    int
		outcome string
		more    []string
	}{
		{"good", gateway.Healthy, 0, "upgraded", nil},
		{"good and not rehearsed", gateway.Healthy, 0, "upgraded", []string{"AIGW_CI_REHEARSE=false"}},
		{"crashes", gateway.CrashAtBoot, 4, "rejected", nil},
		{"crashes and not rehearsed", gateway.CrashAtBoot, 4, "rolled_back", []string{"AIGW_CI_REHEARSE=false"}},
		{"turns bad after it was ready", gateway.DiesAfter, 4, "rejected", []string{"AIGW_CI_VERIFY_HOLD=8s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			if hook := w.get("deployment/"+release, "{.spec.template.spec.containers[0].lifecycle.preStop}"); hook == "" {
				t.Fatal("pods end without waiting for the last users")
			}
			w.estate.SetVersion("18.4.1-ee")
			w.release(image.Options{Tag: tag184, Mode: tt.mode, After: 5 * time.Second})
			users := crowd.Work(t, w.service(), 2)
			w.run("upgrade", tt.exit, tt.outcome, tt.more...)
			w.settled()
			users.AllServed(t)
		})
	}
}

// settled waits until pods that end have ended.
func (w *world) settled() {
	w.Helper()
	w.eventually("the last old pod to end", func() bool {
		return w.kubectl("get", "pods", "--output", `go-template={{range .items}}{{if .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`) == ""
	})
}

// A release that no check of a rehearsal can see through is taken away again. Those
// who met it have noticed; from then on the gateway from before serves everybody.
func TestBadUnderLoad(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	w.release(image.Options{Tag: tag184, Mode: gateway.DiesWithUsers, After: 2 * time.Second})
	users := crowd.Work(t, w.service(), 1)
	r := w.run("upgrade", 4, "rolled_back", "AIGW_CI_VERIFY_HOLD=8s")
	served, failed := users.Rest()
	t.Logf("%d requests served, %d failed:\n%s", served, len(failed), crowd.Describe(failed))
	r.Evidence(t, "live")
	users = crowd.Work(t, w.service(), 1)
	w.settled()
	time.Sleep(2 * time.Second)
	users.AllServed(t)
	w.runs(tag182)
}
