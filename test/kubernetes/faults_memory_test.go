//go:build kubernetes

package kubernetes

import (
	"strings"
	"testing"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
)

// A gateway whose memory grows with its users is ended by the kernel when it has some.
// That is found, by its name, and the gateway from before serves again.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	w.release(image.Options{Tag: tag184, Env: []string{"GOGC=off"}}) // nothing is ever given back
	users := crowd.Work(t, w.service(), 4)
	r := w.run("upgrade", 4, "rolled_back", "AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_TIMEOUT=120s", "AIGW_CI_VERIFY_SUCCESSES=100",
		"AIGW_CI_KUBERNETES_VALUES=resources: {limits: {memory: 16Mi}}")
	if c := r.Check("gateway.stable", "live"); c.Verdict != "fail" || !strings.Contains(c.Detail+c.Remedy, "memory") {
		t.Errorf("it is not named: %+v", c)
	}
	r.Evidence(t, "live")
	served, failed := users.Rest()
	t.Logf("%d requests served, %d failed:\n%s", served, len(failed), crowd.Describe(failed))
	w.settled()
	w.runs(tag182)
	w.publish(tag184, gateway.Healthy)
	w.run("upgrade", 0, "upgraded", "AIGW_CI_REHEARSE=false")
	w.runs(tag184)
}
