package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

const (
	evidenceLogLines = 2000
	evidencePods     = 10
)

// Evidence implements upgrade.Gateway: the Deployment, its newest ReplicaSet and its
// pods, their events, and for each pod its log and the log of the container that ran
// before. Variables that are not known to be public are shown without their values,
// and what was taken out there is taken out of the logs too. Secrets are not read.
func (h *handle) Evidence(ctx context.Context) ([]upgrade.File, error) {
	r, err := h.cluster.rollout(ctx, h.workload)
	if err != nil {
		return nil, err
	}
	pods := append(r.pods, r.others...)
	pods = pods[:min(len(pods), evidencePods)]

	e := evidence{secrets: secret.NewRedactor()}
	e.add("deployment.yaml", deploymentForPeople(r.deployment, e.secrets))
	var list []any
	for i := range pods {
		list = append(list, podForPeople(&pods[i], e.secrets))
	}
	e.add("pods.yaml", list...)
	e.events(ctx, h.cluster, r, pods)
	for i := range pods {
		e.logs(ctx, h.cluster, &pods[i])
	}
	for i := range e.files { // only now are all secrets known
		e.files[i].Data = e.secrets.Bytes(e.files[i].Data)
	}
	return e.files, errors.Join(e.errs...)
}

// evidence is what was collected so far, and what could not be.
type evidence struct {
	secrets *secret.Redactor
	files   []upgrade.File
	errs    []error
}

func (e *evidence) add(name string, objects ...any) {
	var text strings.Builder
	for _, o := range objects {
		data, err := yaml.Marshal(o)
		if err != nil {
			e.errs = append(e.errs, fmt.Errorf("writing %s: %w", name, err))
			continue
		}
		fmt.Fprintf(&text, "---\n%s", data)
	}
	e.put(name, text.String())
}

func (e *evidence) put(name, text string) {
	if text != "" {
		e.files = append(e.files, upgrade.File{Name: name, Data: []byte(text)})
	}
}

func (e *evidence) events(ctx context.Context, c *Cluster, r rollout, pods []corev1.Pod) {
	type object struct {
		name string
		uid  types.UID
	}
	objects := []object{{"deployment/" + r.deployment.Name, r.deployment.UID}}
	if r.newest != nil {
		objects = append(objects, object{"replicaset/" + r.newest.Name, r.newest.UID})
	}
	for _, p := range pods {
		objects = append(objects, object{"pod/" + p.Name, p.UID})
	}
	var text strings.Builder
	for _, o := range objects {
		found, err := c.events(ctx, o.uid)
		if err != nil {
			e.errs = append(e.errs, err)
			break // the next would be refused as well
		}
		for i := range found {
			fmt.Fprintf(&text, "%s %s\n", o.name, describe(&found[i]))
		}
	}
	e.put("events.txt", text.String())
}

// logs reads all containers of a pod: a sidecar can be what is wrong.
func (e *evidence) logs(ctx context.Context, c *Cluster, p *corev1.Pod) {
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		for _, previous := range []bool{true, false} {
			if previous && s.LastTerminationState.Terminated == nil {
				continue
			}
			name := "logs-" + p.Name + "-" + s.Name + ".txt"
			if previous {
				name = "previous-" + name
			}
			lines, err := c.podLog(ctx, p.Name, s.Name, previous, evidenceLogLines)
			if err != nil {
				e.errs = append(e.errs, err)
			}
			text := strings.Join(texts(lines), "\n")
			if text != "" {
				text += "\n"
			}
			e.put(name, text)
		}
	}
}

func deploymentForPeople(d *appsv1.Deployment, secrets *secret.Redactor) any {
	d = d.DeepCopy()
	d.TypeMeta = metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}
	hideMeta(&d.ObjectMeta)
	hideMeta(&d.Spec.Template.ObjectMeta)
	hideVariables(&d.Spec.Template.Spec, secrets)
	return d
}

func podForPeople(p *corev1.Pod, secrets *secret.Redactor) any {
	p = p.DeepCopy()
	p.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	hideMeta(&p.ObjectMeta)
	hideVariables(&p.Spec, secrets)
	return p
}

// hideMeta takes out what nobody reads, and the values of annotations that may hold
// anything: tools keep tokens there, and kubectl a copy of the whole object.
func hideMeta(m *metav1.ObjectMeta) {
	m.ManagedFields = nil
	for name, value := range m.Annotations {
		if !harmless(name) {
			m.Annotations[name] = secret.Value(value).String()
		}
	}
}

func harmless(annotation string) bool {
	domain, _, _ := strings.Cut(annotation, "/")
	switch domain {
	case "deployment.kubernetes.io", "meta.helm.sh", "checksum", "app.kubernetes.io":
		return true
	}
	return annotation == "kubectl.kubernetes.io/restartedAt"
}

// hideVariables takes the values out of variables and remembers them.
func hideVariables(spec *corev1.PodSpec, secrets *secret.Redactor) {
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			for j := range containers[i].Env {
				v := &containers[i].Env[j]
				if shown := gateway.Show(v.Name, v.Value); shown != v.Value {
					secrets.Add(v.Value)
					v.Value = shown
				}
			}
		}
	}
}
