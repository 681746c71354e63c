package kubernetes

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// usualPlatform is the one that every edition of the installation page names. Source:
// docs.gitlab.com/install/install_ai_gateway.
const usualPlatform = "linux/amd64"

// platform is what the cluster's nodes run. Where they differ, or where nodes may not
// be looked at (they belong to no namespace), it is the usual one: what is deployed
// is the digest of all platforms together, and each node takes its own from it.
func (c *Cluster) platform(ctx context.Context) (string, error) {
	nodes, err := c.api.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 50})
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return usualPlatform, nil
	}
	if err != nil {
		return "", c.explain("looking at the nodes", err)
	}
	platform := ""
	for _, n := range nodes.Items {
		p := n.Status.NodeInfo.OperatingSystem + "/" + n.Status.NodeInfo.Architecture
		if platform != "" && p != platform {
			return usualPlatform, nil
		}
		platform = p
	}
	if platform == "" || platform == "/" {
		return usualPlatform, nil
	}
	return platform, nil
}
