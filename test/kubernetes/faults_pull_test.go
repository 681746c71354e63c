//go:build kubernetes

package kubernetes

import (
	"net/http"
	"testing"

	"aigw-ci/internal/lab/wire"
	"aigw-ci/test/crowd"
)

// An image that goes away between its rehearsal and its promotion, or a registry that
// does: nodes that have to ask for it again say so within seconds, and the old pods
// serve.
func TestImageGoesAway(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]wire.Fault{
		"image deleted": wire.Answer("deleted", http.StatusNotFound, http.Header{"Content-Type": {"application/json"}}, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`),
		"registry gone": wire.Dropped(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			w.estate.SetVersion("18.4.1-ee")
			users := crowd.Work(t, w.service(), 1)
			more := []string{"AIGW_CI_VERIFY_TIMEOUT=170s", "AIGW_CI_KUBERNETES_VALUES=image: {pullPolicy: Always}"}
			j := w.start("upgrade", more...)
			j.Until("== Look at GitLab's version again")
			w.estate.Registry.SetFaults(fault)
			r := j.Expect(4, "rolled_back")
			r.Explains(t, "ErrImagePull", "Failed to pull image")
			if c := r.Check("gateway.healthz", "rehearsal"); c.Verdict != "pass" {
				t.Errorf("the rehearsal: %+v", c)
			}
			r.Evidence(t, "live")
			w.settled()
			users.AllServed(t)
			w.estate.Registry.SetFaults()
			w.runs(tag182)
			w.run("upgrade", 0, "upgraded", more...)
			w.runs(tag184)
		})
	}
}
