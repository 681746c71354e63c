//go:build kubernetes

package kubernetes

import "testing"

// A field that somebody has changed in the cluster is theirs: it is named with its
// owner, and nothing is forced. The same value in the settings is an agreement.
func TestConflicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		by           []string // of kubectl
		field, owner string
		values       string // with which both agree; "" when there are none
	}{
		{"scale", []string{"scale", "deployment/" + release, "--replicas=2"}, ".spec.replicas", `"kubectl"`, "replicaCount: 2"},
		{"set image", []string{"set", "image", "deployment/" + release, release + "=127.0.0.1:1/gitlab/model-gateway:theirs"}, ".image", `"kubectl-set"`, ""},
		{
			"edit", []string{"patch", "service/" + release, "--field-manager=kubectl-edit", `--patch={"spec":{"type":"NodePort"}}`},
			".spec.type", `"kubectl-edit"`, "service: {type: NodePort}",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.robot()
			w.byHand(4, "0.15.1", tag182, "--set=podAnnotations.team=night")
			w.kubectl(tt.by...)
			w.estate.SetVersion("18.4.1-ee")
			w.settle()
			before := w.snapshot()
			for _, command := range []string{"plan", "upgrade"} {
				r := w.run(command, 1, "failed")
				r.Explains(t, tt.field, tt.owner)
				r.Says(t, "kubernetes.values")
			}
			w.unchanged(before)
			if tt.values != "" {
				w.run("upgrade", 0, "upgraded", "AIGW_CI_KUBERNETES_VALUES="+tt.values)
				return
			}
			w.helm(4, "upgrade", release, "ai-gateway/ai-gateway", "--version", "0.15.1", "--reuse-values", "--force-conflicts")
			w.run("upgrade", 0, "upgraded")
			w.runs(tag184)
		})
	}
}

// settle waits until the Deployment's status stands still.
func (w *world) settle() {
	w.Helper()
	last := ""
	w.eventually("the Deployment to stand still", func() bool {
		now := w.get("deployment/"+release, "{.metadata.resourceVersion} {.status.unavailableReplicas}")
		same := now == last
		last = now
		return same
	})
}
