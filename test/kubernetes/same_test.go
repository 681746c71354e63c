//go:build kubernetes

package kubernetes

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// kinds are all that a release, a rehearsal or the program itself has in a namespace.
// Events are not among them: they come and go by themselves. A Lease is the lock, which
// an upgrade takes before it looks at anything.
const kinds = "deployments,replicasets,pods,services,ingresses,horizontalpodautoscalers,jobs,secrets,configmaps,serviceaccounts"

// snapshot is every object of the namespace and how often it was written.
func (w *world) snapshot(more ...string) []string {
	w.Helper()
	return strings.Split(w.kubectl("get", strings.Join(append([]string{kinds}, more...), ","), "--output",
		`jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.resourceVersion}{"\n"}{end}`), "\n")
}

// unchanged fails the test when anything was made, written or removed since. What is
// still on its way out gets time to go.
func (w *world) unchanged(before []string, more ...string) {
	w.Helper()
	var now []string
	w.settles(func() bool {
		now = w.snapshot(more...)
		return slices.Equal(before, now)
	})
	if diff := cmp.Diff(before, now); diff != "" {
		w.Errorf("objects have changed (-before +now):\n%s", diff)
	}
}

// nothingLeft fails the test when something of a rehearsal is still there.
func (w *world) nothingLeft() {
	w.Helper()
	w.eventually("the rehearsal to go", func() bool {
		return w.kubectl("get", kinds, "--selector=aigw-ci/rehearsal", "--output=name") == ""
	})
}

// images are what the pods run that take part: "repository:tag@digest", one per pod.
func (w *world) images() string {
	w.Helper()
	return w.kubectl("get", "pods", "--field-selector=status.phase=Running", "--selector=app.kubernetes.io/name=ai-gateway",
		"--output", `jsonpath={.items[?(@.metadata.deletionTimestamp=="")].spec.containers[0].image}{.items[*].spec.containers[0].image}`)
}
