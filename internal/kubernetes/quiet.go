package kubernetes

import (
	"github.com/go-logr/logr"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/klog/v2"
)

// Two things that the libraries keep for the whole process.
func init() {
	// Helm's own program names itself in the fields that it applies. Objects of a
	// release that somebody made with it would be in conflict, field by field, with any
	// other name. Source: kubernetes.io/docs/reference/using-api/server-side-apply,
	// field managers.
	kube.ManagedFieldsManager = "helm"

	// Kubernetes' libraries write to standard error, past our log and its redaction,
	// what they also return as errors.
	klog.SetLogger(logr.Discard())
}
