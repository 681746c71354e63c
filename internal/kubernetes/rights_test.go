package kubernetes

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

var updateRole = flag.Bool("update", false, "write docs/kubernetes/role.yaml")

const roleFile = "../../docs/kubernetes/role.yaml"

const roleHead = `# The rights that aigw-ci needs in the namespace of the release, and no others. Made from
# the program's own list; change the two namespaces, and apply it with kubectl.
#
# The namespace has to be there: a Role cannot allow to make it. With a GitLab agent for
# Kubernetes, bind the Role to the agent's service account, or to the group that
# access_as impersonates, instead of the service account below.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: aigw-ci
  namespace: ai-gateway
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: aigw-ci
  namespace: ai-gateway
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: aigw-ci
subjects:
  - kind: ServiceAccount
    name: aigw-ci
    namespace: ai-gateway
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: aigw-ci
  namespace: ai-gateway
rules:
`

// roleYAML is the Role as a file.
func roleYAML() string {
	var b strings.Builder
	b.WriteString(roleHead)
	rule := func(g grant) {
		fmt.Fprintf(&b, "  # %s.\n  - apiGroups: [%q]\n    resources: [%s]\n    verbs: [%s]\n",
			strings.ToUpper(g.why[:1])+g.why[1:], g.group, strings.Join(g.resources, ", "), strings.Join(strings.Fields(g.verbs), ", "))
	}
	for _, g := range needed {
		rule(g)
	}
	b.WriteString("\n  # What follows may be left out: the check that uses it is skipped then, and says so.\n")
	for _, g := range optional {
		rule(g)
	}
	return b.String()
}

func TestRoleFile(t *testing.T) {
	t.Parallel()
	if *updateRole {
		if err := os.WriteFile(roleFile, []byte(roleYAML()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(roleFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(roleYAML(), string(got)); diff != "" {
		t.Errorf("%s is not what Rights says; run the test with -update\n%s", roleFile, diff)
	}
}

// The Role in the file gives all rights, and no other.
func TestRoleGivesTheRights(t *testing.T) {
	t.Parallel()
	var role rbacv1.Role
	documents := slices.Collect(documents(roleYAML()))
	if err := yaml.UnmarshalStrict([]byte(documents[len(documents)-1]), &role); err != nil {
		t.Fatal(err)
	}
	var rules []authorizationv1.ResourceRule
	given := 0
	for _, r := range role.Rules {
		rules = append(rules, authorizationv1.ResourceRule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources})
		given += len(r.Verbs) * len(r.APIGroups) * len(r.Resources)
	}
	all := slices.Concat(Rights(), OptionalRights())
	for _, r := range all {
		if !allowedBy(rules, r) {
			t.Errorf("the Role does not give %s", r)
		}
		if r.Why == "" {
			t.Errorf("nobody knows what %s is for", r)
		}
	}
	if given != len(all) {
		t.Errorf("the Role gives %d rights, and %d are needed", given, len(all))
	}
}

func TestMissingRights(t *testing.T) {
	t.Parallel()
	logs := Right{Verb: "get", Resource: "pods", Subresource: "log"}
	lease := Right{Verb: "update", Group: "coordination.k8s.io", Resource: "leases"}
	pods := Right{Verb: "list", Resource: "pods"}
	rule := func(verb, group, resource string, names ...string) authorizationv1.ResourceRule {
		return authorizationv1.ResourceRule{Verbs: []string{verb}, APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names}
	}
	tests := []struct {
		name  string
		rules []authorizationv1.ResourceRule
		asked bool // what the server says to each single question
		want  []Right
		most  int // single questions
	}{
		{name: "all, listed", rules: []authorizationv1.ResourceRule{rule("*", "*", "*")}},
		{name: "none", want: []Right{logs, lease, pods}, most: 3},
		{name: "a server that cannot list", asked: true, most: 3},
		{name: "pods are not their logs", rules: []authorizationv1.ResourceRule{rule("*", "", "pods"), rule("*", "coordination.k8s.io", "leases")}, want: []Right{logs}, most: 1},
		{name: "another group", rules: []authorizationv1.ResourceRule{rule("*", "", "pods"), rule("*", "", "leases"), rule("get", "", "*/log")}, want: []Right{lease}, most: 1},
		{name: "one object only", rules: []authorizationv1.ResourceRule{rule("*", "", "pods"), rule("*", "coordination.k8s.io", "leases", "mine"), rule("get", "", "pods/log")}, want: []Right{lease}, most: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := fakeCluster()
			api := c.api.(*fake.Clientset)
			api.PrependReactor("create", "selfsubjectrulesreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, &authorizationv1.SelfSubjectRulesReview{Status: authorizationv1.SubjectRulesReviewStatus{ResourceRules: tt.rules, Incomplete: true}}, nil
			})
			questions := 0
			api.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
				questions++
				return true, &authorizationv1.SelfSubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: tt.asked}}, nil
			})
			got, err := c.missing(t.Context(), []Right{logs, lease, pods})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || questions > tt.most {
				t.Errorf("(-want +got)\n%s%d questions, want at most %d", diff, questions, tt.most)
			}
		})
	}
}
