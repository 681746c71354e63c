package kubernetes

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/postrenderer"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// drainSeconds is how long a pod that has to go still takes requests: until every
// node has heard that it goes. Kubernetes tells the pod and the nodes at the same time,
// and a gateway that listens no more while a node still sends it users costs each of
// them a refused connection. Source: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle,
// Termination of Pods.
const drainSeconds = 5

// drain is a post-renderer of Helm's: it lets the gateway's pods wait before they are
// stopped. The chart has no value for that (values of chart 0.15.1), and without it no
// upgrade is without failed requests. A preStop hook that is there stays as it is.
type drain struct {
	repositories []string

	// sleeps is set where the cluster can wait by itself: from Kubernetes 1.30.
	// Otherwise the image's own sleep does it. Source:
	// kubernetes.io/docs/concepts/containers/container-lifecycle-hooks.
	sleeps bool
}

var _ postrenderer.PostRenderer = drain{}

// Run gives the container that runs the gateway a preStop hook. Documents in which it
// is not come out as they came in.
func (d drain) Run(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	w, err := gatewayIn(rendered.String(), d.repositories)
	if err != nil {
		return rendered, nil // the plan will say so, and in which chart
	}
	var out bytes.Buffer
	for document := range documents(rendered.String()) {
		o := map[string]any{}
		if err := yaml.Unmarshal([]byte(document), &o); err == nil && o["kind"] == "Deployment" && (&unstructured.Unstructured{Object: o}).GetName() == w.deployment {
			if err := d.wait(o, w.container); err != nil {
				return nil, fmt.Errorf("Deployment %s: %w", w.deployment, err)
			}
			text, err := yaml.Marshal(o)
			if err != nil {
				return nil, fmt.Errorf("Deployment %s: %w", w.deployment, err)
			}
			document = string(text)
		}
		out.WriteString("---\n" + strings.TrimLeft(document, "\r\n"))
		if !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteByte('\n')
		}
	}
	return &out, nil
}

func (d drain) wait(deployment map[string]any, container string) error {
	at := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(deployment, at...)
	if err != nil {
		return err
	}
	for _, c := range containers {
		c, ok := c.(map[string]any)
		if !ok || c["name"] != container {
			continue
		}
		if _, there, _ := unstructured.NestedFieldNoCopy(c, "lifecycle", "preStop"); there {
			return nil
		}
		if err := unstructured.SetNestedMap(c, d.hook(), "lifecycle", "preStop"); err != nil {
			return err
		}
	}
	return unstructured.SetNestedSlice(deployment, containers, at...)
}

func (d drain) hook() map[string]any {
	if d.sleeps {
		return map[string]any{"sleep": map[string]any{"seconds": int64(drainSeconds)}}
	}
	return map[string]any{"exec": map[string]any{"command": []any{"sleep", strconv.Itoa(drainSeconds)}}}
}

// drain is what this cluster's pods can do before they go.
func (t *Target) drain() (drain, error) {
	d := drain{repositories: t.options.Repositories}
	v, err := t.cluster.api.Discovery().ServerVersion()
	if err != nil {
		return d, t.cluster.explain("asking for the cluster's version", err)
	}
	major, _ := strconv.Atoi(v.Major)
	minor, _ := strconv.Atoi(digits(v.Minor))
	d.sleeps = major > 1 || major == 1 && minor >= 30
	return d, nil
}

// digits are those at the start of a version: "30+" is what some vendors call theirs.
func digits(s string) string {
	for i, r := range s {
		if r < '0' || r > '9' {
			return s[:i]
		}
	}
	return s
}
