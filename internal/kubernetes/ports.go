package kubernetes

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aigw-ci/internal/gateway"
)

// portsOf reads where a gateway listens: from the names that GitLab's chart gives
// its ports, and from its variables, which are in ConfigMaps too. Secrets are not
// read: no port is in one.
func (c *Cluster) portsOf(ctx context.Context, pod *corev1.Pod, name string) (gateway.Ports, error) {
	container := containerOf(&pod.Spec, name)
	if container == nil {
		return gateway.Listens("", nil), nil
	}
	env, err := c.plainVariables(ctx, container)
	if err != nil {
		return gateway.Ports{}, err
	}
	p := gateway.Listens(container.Image, env)
	p.HTTP = portNamed(container, "api", p.HTTP)
	p.TLS = p.TLS || probesTLS(container)
	if p.GRPC != 0 {
		p.GRPC = portNamed(container, "grpc", p.GRPC)
	}
	return p, nil
}

// plainVariables are a container's variables as far as they are in plain text, here
// or in a ConfigMap. What the container itself names wins, as it does for a node.
func (c *Cluster) plainVariables(ctx context.Context, container *corev1.Container) (map[string]string, error) {
	env := make(map[string]string)
	for _, from := range container.EnvFrom {
		if from.ConfigMapRef == nil {
			continue
		}
		found, err := c.api.CoreV1().ConfigMaps(c.namespace).Get(ctx, from.ConfigMapRef.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			continue // optional, or removed under a running pod
		case err != nil:
			return nil, c.explain("reading ConfigMap "+from.ConfigMapRef.Name, err)
		}
		for k, v := range found.Data {
			env[from.Prefix+k] = v
		}
	}
	for _, v := range container.Env {
		if v.ValueFrom == nil {
			env[v.Name] = v.Value
		}
	}
	return env, nil
}

func portNamed(c *corev1.Container, name string, otherwise int) int {
	for _, p := range c.Ports {
		if p.Name == name {
			return int(p.ContainerPort)
		}
	}
	return otherwise
}

// probesTLS reports whether the cluster itself asks the gateway with TLS.
func probesTLS(c *corev1.Container) bool {
	return slices.ContainsFunc([]*corev1.Probe{c.ReadinessProbe, c.LivenessProbe}, func(p *corev1.Probe) bool {
		return p != nil && p.HTTPGet != nil && p.HTTPGet.Scheme == corev1.URISchemeHTTPS
	})
}
