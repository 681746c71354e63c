package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Right is one thing that a run must be allowed to do in the release's namespace.
type Right struct {
	Verb, Group, Resource, Subresource string
	Why                                string
}

// String is the right in the words of kubectl: "get pods/log".
func (r Right) String() string {
	s := r.Verb + " " + r.Resource
	if r.Group != "" {
		s += "." + r.Group
	}
	if r.Subresource != "" {
		s += "/" + r.Subresource
	}
	return s
}

// Rights are all that a run needs, and nothing else.
func Rights() []Right { return expand(needed) }

// OptionalRights are what makes a run better: without them the check that uses them
// is skipped, and says so.
func OptionalRights() []Right { return expand(optional) }

// grant is a rule of a Role: several rights for one reason.
type grant struct {
	group     string
	resources []string
	verbs     string
	why       string
}

// everything is what Helm does with an object of a release: it reads it, applies it
// (a server-side apply is a patch, and a create where there is none), watches it
// until it is ready, and removes it when the chart does not have it any more. Source:
// helm.sh/helm/v4/pkg/kube.
const everything = "get list watch create update patch delete"

var needed = []grant{
	{"", []string{"secrets"}, everything, "Helm keeps the history of a release in Secrets; the gateway's own secrets are Secrets too"},
	{"", []string{"configmaps", "services", "serviceaccounts"}, everything, "the chart has these objects"},
	{"apps", []string{"deployments"}, everything, "the gateway is a Deployment, and its rehearsal too"},
	{"networking.k8s.io", []string{"ingresses"}, everything, "the chart has Ingresses where kubernetes.host is set"},
	{"autoscaling", []string{"horizontalpodautoscalers"}, everything, "the chart has an autoscaler where autoscaling.enabled is set"},
	{"batch", []string{"jobs"}, everything, "hooks of the chart are Jobs"},
	{"apps", []string{"replicasets"}, "get list watch", "a rollout is followed by its ReplicaSets"},
	{"", []string{"pods"}, "get list watch", "a rollout is followed by its pods"},
	{"", []string{"pods/log"}, "get", "the last log lines say why a gateway does not start"},
	{"", []string{"events"}, "list", "events say why a pod does not start"},
	// A WebSocket is a GET, and servers from 1.35 want "create" for it as well. Source:
	// kubernetes.io/docs/reference/access-authn-authz/rbac, AuthorizePodWebsocketUpgradeCreatePermission.
	{"", []string{"pods/portforward"}, "get create", "the gate reaches a gateway that has no address yet through a port-forward"},
	{"coordination.k8s.io", []string{"leases"}, "get create update", "a Lease keeps two runs from changing the same release"},
}

var optional = []grant{
	{"", []string{"pods/exec"}, "get create", "the gate looks from inside the gateway's pod whether it reaches GitLab"},
}

func expand(grants []grant) (rights []Right) {
	for _, g := range grants {
		for _, name := range g.resources {
			resource, sub, _ := strings.Cut(name, "/")
			for verb := range strings.FieldsSeq(g.verbs) {
				rights = append(rights, Right{verb, g.group, resource, sub, g.why})
			}
		}
	}
	return rights
}

// missing are those of rights that this user does not have. The server is asked for
// all of the user's rules at once; what they do not show - a server may not be able
// to list them - is asked for one by one.
func (c *Cluster) missing(ctx context.Context, rights []Right) ([]Right, error) {
	const doing = "asking the cluster for our rights"
	review, err := c.api.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, &authorizationv1.SelfSubjectRulesReview{
		Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: c.namespace},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, c.explain(doing, err)
	}
	var missing []Right
	for _, r := range rights {
		if allowedBy(review.Status.ResourceRules, r) {
			continue
		}
		allowed, err := c.may(ctx, r)
		if err != nil {
			return nil, c.explain(fmt.Sprintf("%s: %s", doing, r), err)
		}
		if !allowed {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

// may asks for one right.
func (c *Cluster) may(ctx context.Context, r Right) (bool, error) {
	review, err := c.api.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: c.namespace, Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource,
		}},
	}, metav1.CreateOptions{})
	return err == nil && review.Status.Allowed, err
}

// allowedBy reports whether the rules that a server listed give a right for objects
// of every name. Source: kubernetes.io/docs/reference/access-authn-authz/rbac.
func allowedBy(rules []authorizationv1.ResourceRule, r Right) bool {
	resources := []string{"*", r.Resource}
	if r.Subresource != "" {
		resources = []string{"*", r.Resource + "/" + r.Subresource, "*/" + r.Subresource}
	}
	return slices.ContainsFunc(rules, func(rule authorizationv1.ResourceRule) bool {
		return len(rule.ResourceNames) == 0 && has(rule.Verbs, "*", r.Verb) && has(rule.APIGroups, "*", r.Group) && has(rule.Resources, resources...)
	})
}

func has(list []string, wanted ...string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(list, w) })
}
