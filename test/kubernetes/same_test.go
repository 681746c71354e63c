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

// snapshot is every object of the namespace, and who has written what they want of it,
// and when. What the cluster itself reports of it, its status, goes on by itself.
func (w *world) snapshot(more ...string) []string {
	w.Helper()
	return strings.Split(w.kubectl("get", strings.Join(append([]string{kinds}, more...), ","), "--output", `go-template=
		{{- range .items}}{{.kind}}/{{.metadata.name}} {{.metadata.uid}}
			{{- range .metadata.managedFields}}{{if not (or (eq (print .subresource) "status") (eq .manager "kube-controller-manager"))}} {{.manager}} {{.time}}{{end}}{{end}}
		{{- "\n"}}{{end}}`), "\n")
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

// images are those of the pods that are not on their way out.
func (w *world) images() string {
	w.Helper()
	return w.kubectl("get", "pods", "--output", `go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{(index .spec.containers 0).image}}{{end}}{{end}}`)
}

// pods are the names of the pods that are not on their way out.
func (w *world) pods() string {
	w.Helper()
	return w.kubectl("get", "pods", "--output", `go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`)
}

// runs fails the test when anything but one gateway of this tag is there, by digest and
// in the release's own words, or when a run has left something behind.
func (w *world) runs(tag string) {
	w.Helper()
	want := w.repository() + ":" + tag + "@" + w.digest(tag)
	w.settles(func() bool { return w.images() == want })
	if got := w.images(); got != want {
		w.Errorf("the pods run %s, want one of %s", got, want)
	}
	if values := w.helm(4, "get", "values", release); !strings.Contains(values, tag) {
		w.Errorf("the release is of another image:\n%s", values)
	}
	if all := w.statuses(); !strings.HasSuffix(all, "deployed") {
		w.Errorf("the release's revisions are %s", all)
	}
	if record := w.record(); strings.Contains(record, "pending") {
		w.Errorf("the record still tells of an upgrade: %s", record)
	}
	w.nothingLeft()
}

// record is what the program remembers of a release; "" when there is nothing.
func (w *world) record() string {
	w.Helper()
	return w.kubectl("get", "secrets", "--field-selector=metadata.name=aigw-ci."+release, "--output",
		`go-template={{range .items}}{{.data.record | base64decode}}{{end}}`)
}
