//go:build kubernetes

package kubernetes

import (
	"net/http"
	"testing"
	"time"

	"aigw-ci/internal/lab/image"
	"aigw-ci/internal/lab/registry"
	"aigw-ci/test/crowd"
)

// What keeps pods from becoming ready ends the wait within seconds and by its name. A
// rehearsal finds it before anything is touched; without one the old pods serve on,
// and the revision from before comes back.
func TestTroubles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		reason  string
		detail  string // of its message or its events
		prepare func(*world)
		values  string
	}{
		{
			name: "no image", reason: "ErrImagePull", detail: "Failed to pull image",
			prepare: func(w *world) {
				w.Helper()
				// Layers that no node has, and a registry that has its manifests only.
				w.release(image.Options{Tag: tag184, Padding: time.Now().UnixNano() % 100_000})
				w.estate.Registry.SetFaults(registry.Denied().On(http.MethodGet, "/blobs/"))
			},
		},
		{
			name: "no secret", reason: "CreateContainerConfigError", detail: `secret "of-nobody" not found`,
			values: "extraEnvironmentVariables: [{name: KEY, valueFrom: {secretKeyRef: {name: of-nobody, key: key}}}]",
		},
		{
			name: "no room", reason: "FailedScheduling", detail: "Insufficient cpu",
			values: `resources: {requests: {cpu: "100"}}`,
		},
		{
			name: "a quota", reason: "FailedCreate", detail: "exceeded quota",
			prepare: func(w *world) { w.kubectl("create", "quota", "small", "--hard=pods=1") },
		},
		{
			name: "a policy", reason: "FailedCreate", detail: "violates PodSecurity",
			prepare: func(w *world) {
				w.kubectl("label", "namespace", w.namespace, "pod-security.kubernetes.io/enforce=restricted")
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			w.estate.SetVersion("18.4.1-ee")
			if tt.prepare != nil {
				tt.prepare(w)
			}
			more := []string{"AIGW_CI_VERIFY_TIMEOUT=170s", "AIGW_CI_KUBERNETES_VALUES=" + tt.values}
			users := crowd.Work(t, w.service(), 1)

			before := w.snapshot()
			started := time.Now()
			r := w.run("upgrade", 1, "failed", more...)
			rehearsal := time.Since(started)
			w.nothingLeft()
			w.unchanged(before)
			r.Explains(t, tt.reason, tt.detail)

			started = time.Now()
			r = w.run("upgrade", 4, "rolled_back", append(more, "AIGW_CI_REHEARSE=false")...)
			rollout := time.Since(started)
			r.Explains(t, tt.reason, tt.detail)
			r.Evidence(t, "live")
			users.AllServed(t)
			w.runs(tag182)
			t.Logf("the rehearsal ended after %v, the upgrade without one after %v", rehearsal.Round(time.Second), rollout.Round(time.Second))
			if max(rehearsal, rollout) > time.Minute {
				t.Error("that is too long")
			}
		})
	}
}
