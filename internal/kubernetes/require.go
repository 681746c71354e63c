package kubernetes

import (
	"encoding/base64"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// require compares what gateways of the image's release need with what the chart
// renders for them. Nothing can be added here, as on a Docker Engine: what a gateway
// has is the chart's to say, which makes keys of its own, and the settings'. So what
// is missing is a note; it is refused where the upgrade crosses the line from which
// on it is needed, and what is there and cannot work is refused always.
func (t *Target) require(b *blueprint, image upgrade.Image) (notes []string, refusals []string, err error) {
	to, ok := image.Line()
	if !ok {
		return nil, nil, nil
	}
	rendered, err := objects(b.manifest)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the rendered release: %w", err)
	}
	env, err := environmentIn(rendered, b.workload)
	if err != nil {
		return nil, nil, err
	}
	var from version.Line // zero at an installation
	if !b.install {
		from = gateway.LineOf(b.image)
	}
	for _, gap := range gateway.Crossing(from, to, env.lookup) {
		switch missing := env.missing(gap); {
		case gap.Bad != nil:
			refusals = append(refusals, gap.String())
		case gap.Key && gap.New && from != (version.Line{}) && len(env.elsewhere) == 0:
			refusals = append(refusals, missing)
		default:
			notes = append(notes, missing)
		}
	}
	return notes, refusals, nil
}

// rendition is a container's environment as a chart renders it.
type rendition struct {
	values    map[string]string // empty: it is set, and its value is not here
	elsewhere []string          // objects of variables that the chart does not render
}

func (r rendition) lookup(name string) (value string, set bool) {
	value, set = r.values[name]
	return value, set
}

// missing is a gap in the words of a plan.
func (r rendition) missing(gap gateway.Gap) string {
	says := fmt.Sprintf("%s is not set, which gateways of GitLab %s and later need", gap.Name, gap.Line)
	if len(r.elsewhere) > 0 {
		says += ", unless " + clean(r.elsewhere[0], 100) + " has it, which is not the chart's"
	}
	if gap.Key {
		return says + ": take a newer chart (kubernetes.chart.version), which makes it, or give it in gateway.environment_from (openssl genrsa 2048)"
	}
	return says + ": set it in gateway.environment"
}

// environmentIn reads the environment of the gateway's container.
func environmentIn(rendered map[string]*unstructured.Unstructured, w workload) (rendition, error) {
	r := rendition{values: make(map[string]string)}
	spec, err := templateOf(rendered, w)
	if err != nil {
		return r, err
	}
	container := containerOf(spec, w.container)
	if container == nil {
		return r, fmt.Errorf("Deployment %s has no container %s", w.deployment, w.container)
	}
	for _, from := range container.EnvFrom {
		switch {
		case from.ConfigMapRef != nil:
			r.take(find(rendered, "ConfigMap", from.ConfigMapRef.Name), from.Prefix, "ConfigMap "+from.ConfigMapRef.Name)
		case from.SecretRef != nil:
			r.take(find(rendered, "Secret", from.SecretRef.Name), from.Prefix, "Secret "+from.SecretRef.Name)
		}
	}
	for _, v := range container.Env {
		r.values[v.Name] = v.Value
		if v.ValueFrom != nil {
			r.values[v.Name] = valueIn(rendered, v.ValueFrom)
		}
	}
	return r, nil
}

func templateOf(rendered map[string]*unstructured.Unstructured, w workload) (*corev1.PodSpec, error) {
	var d struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	err := decode(rendered, "Deployment", w.deployment, &d)
	return &d.Spec.Template.Spec, err
}

// take adds all that is in an object.
func (r *rendition) take(o *unstructured.Unstructured, prefix, name string) {
	if o == nil {
		r.elsewhere = append(r.elsewhere, name)
		return
	}
	for key, value := range contents(o) {
		r.values[prefix+key] = value
	}
}

// valueIn is the value of one key of an object; empty when that is not rendered.
func valueIn(rendered map[string]*unstructured.Unstructured, from *corev1.EnvVarSource) string {
	var o *unstructured.Unstructured
	var key string
	switch {
	case from.SecretKeyRef != nil:
		o, key = find(rendered, "Secret", from.SecretKeyRef.Name), from.SecretKeyRef.Key
	case from.ConfigMapKeyRef != nil:
		o, key = find(rendered, "ConfigMap", from.ConfigMapKeyRef.Name), from.ConfigMapKeyRef.Key
	}
	if o == nil {
		return ""
	}
	return contents(o)[key]
}

// contents are the values of a ConfigMap or a Secret. What is no text is empty.
func contents(o *unstructured.Unstructured) map[string]string {
	values := make(map[string]string)
	data, _, _ := unstructured.NestedMap(o.Object, "data")
	for key, value := range data {
		text, _ := value.(string)
		if o.GetKind() == "Secret" {
			decoded, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				decoded = nil
			}
			text = string(decoded)
		}
		values[key] = text
	}
	plain, _, _ := unstructured.NestedStringMap(o.Object, "stringData")
	for key, value := range plain {
		values[key] = value
	}
	return values
}
