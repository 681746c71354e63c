package kubernetes

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"aigw-ci/internal/upgrade"
)

// What the API server refuses is told object by object; what says nothing about the
// upgrade itself is not a refusal.
func TestRefused(t *testing.T) {
	t.Parallel()
	conflict := apierrors.NewApplyConflict([]metav1.StatusCause{
		{Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas", Message: `conflict with "kubectl" using apps/v1`},
	}, "Apply failed with 1 conflict")
	applied := fmt.Errorf("conflict occurred while applying object ns/ai-gateway apps/v1, Kind=Deployment: %w", conflict)
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "ai-gateway", errors.New("exceeded quota"))
	target := &Target{cluster: new(Cluster), options: Options{Release: "ai-gateway", Namespace: "ns"}}

	var refused *upgrade.RefusedError
	err := target.refused(errors.Join(applied, fmt.Errorf("creating: %w", forbidden)))
	if !errors.As(err, &refused) || len(refused.Reasons) != 2 {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{`the field .spec.replicas of Deployment/ai-gateway was changed outside of Helm ("kubectl" using apps/v1)`, "services/ai-gateway: "} {
		if !strings.HasPrefix(refused.Reasons[i], want) {
			t.Errorf("%q does not begin with %q", refused.Reasons[i], want)
		}
	}
	if err := target.refused(nil); err != nil {
		t.Error(err)
	}
	for _, other := range []error{apierrors.NewTooManyRequests("slow down", 1), apierrors.NewUnauthorized("who are you"), apierrors.NewInternalError(errors.New("etcd"))} {
		if err := target.refused(fmt.Errorf("updating: %w", other)); errors.As(err, &refused) {
			t.Errorf("%v counts as a refusal of the upgrade", other)
		}
	}
}
