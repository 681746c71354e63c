package kubernetes

import (
	"context"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/version"
)

// ports are where a gateway listens inside its pod.
type ports struct {
	scheme     string // of the HTTP port
	http, grpc int    // grpc is 0 where none is served
}

// What the gateway listens on unless something else is said. Source:
// gitlab-org/modelops/applied-ml/code-suggestions/ai-assist, ai_gateway/config.py
// and duo_workflow_service.
const (
	httpPort = 5052
	grpcPort = 50052
)

// portsOf reads where a gateway listens: from the names that GitLab's chart gives
// its ports, and from its variables, which are in ConfigMaps too. Secrets are not
// read: no port is in one.
func (c *Cluster) portsOf(ctx context.Context, pod *corev1.Pod, name string) (ports, error) {
	container := containerOf(&pod.Spec, name)
	if container == nil {
		return ports{scheme: "http", http: httpPort}, nil
	}
	env, err := c.plainVariables(ctx, container)
	if err != nil {
		return ports{}, err
	}
	needs := gateway.For(lineOf(container.Image))
	p := ports{
		scheme: "http",
		http:   portNamed(container, "api", portOr(env["AIGW_FASTAPI__API_PORT"], httpPort)),
	}
	if isTrue(env["AIGW_FASTAPI__TLS__ENABLED"]) || probesTLS(container) {
		p.scheme = "https"
	}
	enabled, said := env["ENABLE_DUO_WORKFLOW_SERVICE"]
	if said && isTrue(enabled) || !said && needs.GRPCPort != 0 {
		p.grpc = portNamed(container, "grpc", portOr(env["PORT"], grpcPort))
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

// lineOf is the release an image reference is for; the zero Line when its tag does
// not say.
func lineOf(reference string) version.Line {
	name, _, _ := strings.Cut(reference, "@")
	tag, err := version.ParseTag(name[strings.LastIndexByte(name, ':')+1:])
	if err != nil {
		return version.Line{}
	}
	return tag.Line()
}

func portOr(s string, otherwise int) int {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return otherwise
	}
	return int(n)
}

func isTrue(s string) bool {
	return slices.Contains([]string{"true", "1", "yes", "on"}, strings.ToLower(s))
}
