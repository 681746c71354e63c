//go:build kubernetes

package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/test/crash"
	"aigw-ci/test/crowd"
)

// Rules of the namespace that change between the rehearsal, which they let pass, and
// the rollout: what they forbid is named at once, and the old pods serve.
func TestRulesChange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		rule, undo     []string // of kubectl; FILE is a LimitRange
		reason, detail string   // "" when the upgrade goes through
	}{
		{
			name: "a quota", reason: "FailedCreate", detail: "exceeded quota",
			rule: []string{"create", "quota", "small", "--hard=pods=1"}, undo: []string{"delete", "quota", "small"},
		},
		{
			name: "a limit range", reason: "FailedScheduling", detail: "Insufficient memory", // it is what pods then ask for
			rule: []string{"apply", "--filename", "FILE"}, undo: []string{"delete", "limitrange", "large"},
		},
		{
			name: "a policy", reason: "FailedCreate", detail: "violates PodSecurity",
			rule: []string{"label", "namespace", "NAMESPACE", "pod-security.kubernetes.io/enforce=restricted"},
			undo: []string{"label", "namespace", "NAMESPACE", "pod-security.kubernetes.io/enforce-"},
		},
		{
			name: "a disruption budget",
			rule: []string{"create", "poddisruptionbudget", "one", "--min-available=1", "--selector=app.kubernetes.io/instance=" + release},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := installed(t)
			w.estate.SetVersion("18.4.1-ee")
			file := filepath.Join(w.TempDir(), "rule.json")
			if err := os.WriteFile(file, []byte(largeOnly), 0o600); err != nil {
				t.Fatal(err)
			}
			filled := func(arguments []string) []string {
				with := strings.NewReplacer("FILE", file, "NAMESPACE", w.namespace)
				all := []string{"kubectl", "--namespace", w.namespace}
				for _, a := range arguments {
					all = append(all, with.Replace(a))
				}
				return all
			}
			users := crowd.Work(t, w.service(), 1)
			m, _, kubeconfig := w.faulty()
			m.Arm(crash.Point{Deed: "PATCH deployments " + release, Nth: 1}, crash.Strike{Name: tt.name, Do: func(crash.Victim) {
				if said, err := w.try(shared.node, filled(tt.rule)...); err != nil {
					t.Errorf("%v: %s", err, said)
				}
			}})
			m.Meet(crash.Victim{})
			r := w.start("upgrade", "KUBECONFIG="+kubeconfig, "AIGW_CI_VERIFY_TIMEOUT=120s").Wait()
			if !m.Met() {
				t.Fatalf("it never came to its upgrade: exit code %d, %s", r.Exit, r.Error)
			}
			if tt.reason != "" {
				if r.Exit != 4 || r.Outcome != "rolled_back" {
					t.Errorf("exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
				}
				r.Explains(t, tt.reason, tt.detail)
				w.runs(tag182)
				if said, err := w.try(shared.node, filled(tt.undo)...); err != nil {
					t.Fatal(said)
				}
				r = w.start("upgrade").Wait()
			}
			if r.Exit != 0 || r.Outcome != "upgraded" {
				t.Errorf("exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
			}
			w.settled()
			users.AllServed(t)
			w.runs(tag184)
		})
	}
}

// largeOnly wants more memory of every container than there is.
const largeOnly = `{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "large"},
	"spec": {"limits": [{"type": "Container", "min": {"memory": "1Ti"}}]}}`
