//go:build kubernetes

package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// robot gives the program the rights of docs/kubernetes/role.yaml, and no others: it
// is what a pipeline should have.
func (w *world) robot() {
	w.Helper()
	w.grant(func(role string) string { return role })
	w.settings["KUBECONFIG"] = w.as("aigw-ci")
}

// grant gives the account the rights of docs/kubernetes/role.yaml, edited by somebody.
func (w *world) grant(edit func(role string) string) {
	w.Helper()
	role, err := os.ReadFile("../../docs/kubernetes/role.yaml")
	if err != nil {
		w.Fatal(err)
	}
	file := filepath.Join(w.home, "role.yaml")
	text := edit(strings.ReplaceAll(string(role), "namespace: ai-gateway", "namespace: "+w.namespace))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	w.kubectl("apply", "--filename", file)
}

// A right that is missing is named, and nothing is changed without it.
func TestMissingRight(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	before := w.snapshot()
	for _, tt := range []struct {
		right, from, to string
	}{
		{"patch deployments", "resources: [deployments]\n    verbs: [get, list, watch, create, update, patch, delete]", "resources: [deployments]\n    verbs: [get, list, watch, create, update, delete]"},
		{"update leases", "resources: [leases]\n    verbs: [get, create, update]", "resources: [leases]\n    verbs: [get]"},
		{"list secrets", "resources: [secrets]\n    verbs: [get, list, watch, create,", "resources: [secrets]\n    verbs: [get, create,"},
	} {
		w.grant(func(role string) string {
			if !strings.Contains(role, tt.from) {
				t.Fatalf("the Role has no rule %q", tt.from)
			}
			return strings.Replace(role, tt.from, tt.to, 1)
		})
		verb, resource, _ := strings.Cut(tt.right, " ")
		w.eventually("the right to go", func() bool {
			said, _ := w.try(shared.node, "kubectl", "--kubeconfig", w.settings["KUBECONFIG"], "--namespace", w.namespace, "auth", "can-i", verb, resource)
			return said == "no"
		})
		for _, command := range []string{"plan", "upgrade"} {
			r := w.run(command, 1, "failed")
			if !strings.Contains(r.Error, verb) || !strings.Contains(r.Error, resource) {
				t.Errorf("%s without the right to %s: %s", command, tt.right, r.Error)
			}
			r.Says(t, "role.yaml")
		}
	}
	w.unchanged(before)
}
