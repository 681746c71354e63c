package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// rollout is a Deployment with what it made, at one moment.
type rollout struct {
	deployment *appsv1.Deployment
	newest     *appsv1.ReplicaSet // of the Deployment as it is now; nil until the cluster made it
	pods       []corev1.Pod       // the newest ReplicaSet's, without those that are on their way out, by name
	others     []corev1.Pod       // those of older ReplicaSets, likewise
}

// mostObjects bounds lists of pods and ReplicaSets.
const mostObjects = 500

// rollout reads a Deployment and its pods. A Deployment that is not there is a "not
// found".
func (c *Cluster) rollout(ctx context.Context, w workload) (rollout, error) {
	var r rollout
	deployment, err := c.api.AppsV1().Deployments(c.namespace).Get(ctx, w.deployment, metav1.GetOptions{})
	if err != nil {
		return r, c.explain("reading Deployment "+w.deployment, err)
	}
	r.deployment = deployment
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		return r, fmt.Errorf("reading the selector of Deployment %s: %w", w.deployment, err)
	}
	of := metav1.ListOptions{LabelSelector: selector.String(), Limit: mostObjects}
	sets, err := c.api.AppsV1().ReplicaSets(c.namespace).List(ctx, of)
	if err != nil {
		return r, c.explain("listing the ReplicaSets of Deployment "+w.deployment, err)
	}
	pods, err := c.api.CoreV1().Pods(c.namespace).List(ctx, of)
	if err != nil {
		return r, c.explain("listing the pods of Deployment "+w.deployment, err)
	}
	own := slices.DeleteFunc(sets.Items, func(s appsv1.ReplicaSet) bool { return !ownedBy(&s, deployment.UID) })
	r.newest = newestOf(deployment, own)
	for _, p := range pods.Items {
		switch {
		case p.DeletionTimestamp != nil:
		case r.newest != nil && ownedBy(&p, r.newest.UID):
			r.pods = append(r.pods, p)
		case slices.ContainsFunc(own, func(s appsv1.ReplicaSet) bool { return ownedBy(&p, s.UID) }):
			r.others = append(r.others, p)
		}
	}
	slices.SortFunc(r.pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return r, nil
}

// newestOf is the ReplicaSet of a Deployment as it is now: the one with the same
// template, as the Deployment's controller decides it, and not the one with the
// highest revision, which an update overtakes before the controller has seen it.
// Source: kubernetes.io/docs/concepts/workloads/controllers/deployment, Pod-template-hash label.
func newestOf(d *appsv1.Deployment, sets []appsv1.ReplicaSet) *appsv1.ReplicaSet {
	var newest *appsv1.ReplicaSet
	for i, s := range sets {
		template := s.Spec.Template.DeepCopy()
		delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
		if len(template.Labels) == 0 {
			template.Labels = d.Spec.Template.Labels
		}
		if !apiequality.Semantic.DeepEqual(*template, d.Spec.Template) {
			continue
		}
		if newest == nil || s.CreationTimestamp.Before(&newest.CreationTimestamp) {
			newest = &sets[i]
		}
	}
	return newest
}

func ownedBy(o metav1.Object, owner types.UID) bool {
	controller := metav1.GetControllerOf(o)
	return controller != nil && controller.UID == owner
}

// finished reports whether a pod ended for good: it was evicted, or its node was
// lost. Its ReplicaSet has made another one by then.
func finished(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
}

func ready(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// statusOf is the state of one container of a pod; nil until the node tells it.
func statusOf(p *corev1.Pod, container string) *corev1.ContainerStatus {
	for i := range p.Status.ContainerStatuses {
		if p.Status.ContainerStatuses[i].Name == container {
			return &p.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// containerOf is one container of a template; nil when it has none of that name.
func containerOf(spec *corev1.PodSpec, name string) *corev1.Container {
	for i := range spec.Containers {
		if spec.Containers[i].Name == name {
			return &spec.Containers[i]
		}
	}
	return nil
}

// before returns w with what troubled must pass over: the ReplicaSet that is there
// before a change is made. Whatever is wrong with that one was wrong before.
func (c *Cluster) before(ctx context.Context, w workload) (workload, error) {
	r, err := c.rollout(ctx, w)
	switch {
	case apierrors.IsNotFound(err):
		return w, nil
	case err != nil:
		return w, err
	case r.newest != nil:
		w.passed = r.newest.UID
	}
	return w, nil
}
