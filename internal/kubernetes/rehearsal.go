package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// rehearsalSuffix is at the end of every name that a rehearsal makes.
const rehearsalSuffix = "-aigw-ci-rehearsal"

// rehearsed is a gateway that runs beside the one a manifest would make and that no
// user reaches.
type rehearsed struct {
	objects  []runtime.Object // ConfigMaps and Secrets, and the Deployment last
	workload workload
	notes    []string // in what it is not the same, one line each
}

// rehearse derives a rehearsal from a rendered manifest: the Deployment that runs the
// gateway, with one replica and under a name and labels of its own, so that no live
// Service, autoscaler or disruption budget takes its pod for one of theirs.
//
// The pod reads the settings that the manifest would make: ConfigMaps and Secrets in
// it are copied under names of the rehearsal, as those that are live still have the
// old ones. What is not in the manifest is referred to as it is. Nothing that the pod
// does may harm the gateway beside it: volumes that both would write to become
// read-only or empty, and the ports of a node stay where they are.
//
// live tells whether an object exists in the cluster.
func rehearse(manifest string, w workload, release string, live func(kind, name string) bool) (rehearsed, error) {
	rendered, err := objects(manifest)
	if err != nil {
		return rehearsed{}, fmt.Errorf("reading what the chart renders: %w", err)
	}
	var d appsv1.Deployment
	if err := decode(rendered, "Deployment", w.deployment, &d); err != nil {
		return rehearsed{}, err
	}
	if !slices.ContainsFunc(d.Spec.Template.Spec.Containers, func(c corev1.Container) bool { return c.Name == w.container }) {
		return rehearsed{}, fmt.Errorf("Deployment %s has no container %s", clean(d.Name, 100), clean(w.container, 100))
	}
	r := &rehearser{rendered: rendered, live: live, labels: map[string]string{labelRehearsal: release, labelManagedBy: managedBy}}
	deployment := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: r.meta(d.Name, d.Namespace),
		Spec: appsv1.DeploymentSpec{
			Replicas:                new(int32(1)),
			Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{labelRehearsal: release}},
			Template:                d.Spec.Template,
			RevisionHistoryLimit:    new(int32(0)),
			ProgressDeadlineSeconds: d.Spec.ProgressDeadlineSeconds,
		},
	}
	if err := r.pod(&deployment.Spec.Template); err != nil {
		return rehearsed{}, err
	}
	w.deployment = deployment.Name
	return rehearsed{objects: append(r.copies, deployment), workload: w, notes: r.notes}, nil
}

// rehearser turns a pod into that of a rehearsal.
type rehearser struct {
	rendered map[string]*unstructured.Unstructured
	live     func(kind, name string) bool
	labels   map[string]string
	copies   []runtime.Object
	copied   []string
	notes    []string
}

func (r *rehearser) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(r.notes, n) {
		r.notes = append(r.notes, n)
	}
}

func (r *rehearser) meta(name, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name + rehearsalSuffix, Namespace: namespace, Labels: maps.Clone(r.labels)}
}

func (r *rehearser) pod(t *corev1.PodTemplateSpec) error {
	r.relabel(t)
	spec := &t.Spec
	r.place(spec)
	if err := r.account(spec); err != nil {
		return err
	}
	readOnly, err := r.volumes(spec)
	if err != nil {
		return err
	}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			if err := r.container(&containers[i], readOnly); err != nil {
				return err
			}
		}
	}
	return nil
}

// relabel gives the pod the rehearsal's labels and no others: whoever selects pods by
// those that it had would find it. Annotations select nothing.
func (r *rehearser) relabel(t *corev1.PodTemplateSpec) {
	var dropped []string
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		if !strings.HasPrefix(key, "app.kubernetes.io/") && !strings.HasPrefix(key, "helm.sh/") && key != "app" {
			dropped = append(dropped, clean(key, 100))
		}
	}
	if len(dropped) > 0 {
		r.note("the rehearsal's pod does not have the labels %s: set rehearse to false if the gateway cannot start without them", strings.Join(dropped, ", "))
	}
	annotations := maps.Clone(t.Annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return strings.HasPrefix(key, "checksum/") })
	t.ObjectMeta = metav1.ObjectMeta{Labels: maps.Clone(r.labels), Annotations: annotations}
}

// place leaves out what ties the pod to, or keeps it away from, other pods: on a small
// cluster a gateway that must not be beside another would find no room. Which nodes
// it may use stays.
func (r *rehearser) place(spec *corev1.PodSpec) {
	if spec.Affinity != nil {
		spec.Affinity = &corev1.Affinity{NodeAffinity: spec.Affinity.NodeAffinity}
	}
	spec.TopologySpreadConstraints = nil
	spec.Hostname, spec.Subdomain = "", ""
	if spec.HostNetwork {
		spec.HostNetwork = false
		if spec.DNSPolicy == corev1.DNSClusterFirstWithHostNet {
			spec.DNSPolicy = corev1.DNSClusterFirst
		}
		r.note("the gateway uses its node's network and the rehearsal does not: what it reaches on localhost, the rehearsal does not reach")
	}
}

// account lets the pod run as the release's service account if there is one yet, and
// pull with its secrets.
func (r *rehearser) account(spec *corev1.PodSpec) error {
	name := spec.ServiceAccountName
	if name == "" {
		name = spec.DeprecatedServiceAccount
	}
	if name != "" && name != "default" && !r.live("ServiceAccount", name) {
		r.note("the service account %s is not there yet: the rehearsal runs as the namespace's default", clean(name, 100))
		name = ""
	}
	spec.ServiceAccountName, spec.DeprecatedServiceAccount = name, ""
	for i := range spec.ImagePullSecrets {
		s := &spec.ImagePullSecrets[i]
		if r.live("Secret", s.Name) {
			continue
		}
		if err := r.secret(&s.Name); err != nil {
			return err
		}
	}
	return nil
}

func (r *rehearser) container(c *corev1.Container, readOnly map[string]bool) error {
	for i := range c.Ports {
		if c.Ports[i].HostPort != 0 {
			c.Ports[i].HostPort, c.Ports[i].HostIP = 0, ""
			r.note("the rehearsal leaves the ports of its node to the gateway")
		}
	}
	for i := range c.VolumeMounts {
		if readOnly[c.VolumeMounts[i].Name] {
			c.VolumeMounts[i].ReadOnly = true
		}
	}
	for i := range c.EnvFrom {
		if from := c.EnvFrom[i].ConfigMapRef; from != nil {
			if err := r.configMap(&from.Name); err != nil {
				return err
			}
		}
		if from := c.EnvFrom[i].SecretRef; from != nil {
			if err := r.secret(&from.Name); err != nil {
				return err
			}
		}
	}
	for i := range c.Env {
		from := c.Env[i].ValueFrom
		if from != nil && from.ConfigMapKeyRef != nil {
			if err := r.configMap(&from.ConfigMapKeyRef.Name); err != nil {
				return err
			}
		}
		if from != nil && from.SecretKeyRef != nil {
			if err := r.secret(&from.SecretKeyRef.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// configMap makes *name that of a copy, if the manifest has the ConfigMap.
func (r *rehearser) configMap(name *string) error {
	return r.refer(name, "ConfigMap", func() (runtime.Object, error) {
		var m corev1.ConfigMap
		err := decode(r.rendered, "ConfigMap", *name, &m)
		return &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: r.meta(m.Name, m.Namespace),
			Data:       m.Data,
			BinaryData: m.BinaryData,
		}, err
	})
}

// secret makes *name that of a copy, if the manifest has the Secret.
func (r *rehearser) secret(name *string) error {
	return r.refer(name, "Secret", func() (runtime.Object, error) {
		var s corev1.Secret
		err := decode(r.rendered, "Secret", *name, &s)
		return &corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: r.meta(s.Name, s.Namespace),
			Type:       s.Type,
			Data:       s.Data,
			StringData: s.StringData,
		}, err
	})
}

// refer makes the copy of an object once, however often the pod refers to it. What is
// not in the manifest keeps its name.
func (r *rehearser) refer(name *string, kind string, duplicate func() (runtime.Object, error)) error {
	if find(r.rendered, kind, *name) == nil {
		return nil
	}
	if which := kind + "/" + *name; !slices.Contains(r.copied, which) {
		o, err := duplicate()
		if err != nil {
			return err
		}
		r.copied, r.copies = append(r.copied, which), append(r.copies, o)
	}
	*name += rehearsalSuffix
	return nil
}

// find returns the object of a kind and a name, whatever namespace it is written to.
func find(rendered map[string]*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	for _, key := range slices.Sorted(maps.Keys(rendered)) {
		if o := rendered[key]; o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	return nil
}

// decode reads an object of the manifest into its type.
func decode(rendered map[string]*unstructured.Unstructured, kind, name string, into any) error {
	o := find(rendered, kind, name)
	if o == nil {
		return fmt.Errorf("the chart renders no %s %s", kind, clean(name, 100))
	}
	text, err := json.Marshal(o.Object)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil { // its text may quote a secret
		return fmt.Errorf("%s %s, as the chart renders it, is not one that Kubernetes understands", kind, clean(name, 100))
	}
	return nil
}
