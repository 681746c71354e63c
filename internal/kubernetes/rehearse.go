package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"aigw-ci/internal/upgrade"
)

// labelRehearsal is on everything that a rehearsal makes, and on nothing else.
const labelRehearsal = "aigw-ci/rehearsal"

// Rehearse starts the planned gateway as a Deployment of its own, which no Service
// selects. A gateway that starts and ends again is for the gate to judge; a cluster
// without room for it, or nodes that cannot get the image, are an error.
func (t *Target) Rehearse(ctx context.Context, plan upgrade.Plan) (upgrade.Gateway, error) {
	b := plan.Detail.(*blueprint)
	if err := t.Dismiss(ctx); err != nil {
		return nil, fmt.Errorf("removing an earlier rehearsal: %w", err)
	}
	r, err := t.derive(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("preparing the rehearsal: %w", err)
	}
	if err := t.provide(ctx, b.material); err != nil {
		return nil, err
	}
	for _, o := range r.objects {
		if err := t.create(ctx, o); err != nil {
			return nil, fmt.Errorf("starting the rehearsal: %w", err)
		}
	}
	return t.cluster.gateway(r.workload), t.started(ctx, r.workload)
}

// derive makes the rehearsal of what the chart renders.
func (t *Target) derive(ctx context.Context, b *blueprint) (rehearsed, error) {
	return rehearse(b.manifest, b.workload, t.options.Release, func(kind, name string) bool { return t.live(ctx, kind, name) })
}

// started waits until the rehearsal is ready or shows what it can.
func (t *Target) started(ctx context.Context, w workload) error {
	ctx, cancel := context.WithTimeout(ctx, t.options.Wait)
	defer cancel()
	trouble := make(chan error, 1)
	go func() { trouble <- t.cluster.troubled(ctx, w) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-trouble:
			var stuck *StuckError
			if errors.As(err, &stuck) && !stuck.Judged() {
				return err
			}
			return nil
		case <-tick.C:
			if d, err := t.cluster.api.AppsV1().Deployments(t.options.Namespace).Get(ctx, w.deployment, metav1.GetOptions{}); err == nil && d.Status.ReadyReplicas > 0 {
				cancel()
				<-trouble
				return nil
			}
		}
	}
}

// Dismiss removes the rehearsal, and what was made for it alone. Its pods end by
// themselves a little later; another rehearsal takes none of them for its own.
func (t *Target) Dismiss(ctx context.Context) error {
	only := metav1.ListOptions{LabelSelector: labelRehearsal + "=" + t.options.Release}
	remove := metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}
	ns := t.options.Namespace

	deployments, err := t.cluster.api.AppsV1().Deployments(ns).List(ctx, only)
	if err != nil {
		return t.cluster.explain("looking for a rehearsal", err)
	}
	for _, d := range deployments.Items {
		if err := t.gone(t.cluster.api.AppsV1().Deployments(ns).Delete(ctx, d.Name, remove)); err != nil {
			return err
		}
	}
	secrets, err := t.cluster.api.CoreV1().Secrets(ns).List(ctx, only)
	if err != nil {
		return t.cluster.explain("looking for a rehearsal's secrets", err)
	}
	for _, s := range secrets.Items {
		if err := t.gone(t.cluster.api.CoreV1().Secrets(ns).Delete(ctx, s.Name, metav1.DeleteOptions{})); err != nil {
			return err
		}
	}
	maps, err := t.cluster.api.CoreV1().ConfigMaps(ns).List(ctx, only)
	if err != nil {
		return t.cluster.explain("looking for a rehearsal's settings", err)
	}
	for _, m := range maps.Items {
		if err := t.gone(t.cluster.api.CoreV1().ConfigMaps(ns).Delete(ctx, m.Name, metav1.DeleteOptions{})); err != nil {
			return err
		}
	}
	return t.sweep(ctx)
}

// rehearsals reports whether anything of a rehearsal is there.
func (t *Target) rehearsals(ctx context.Context) (bool, error) {
	only := metav1.ListOptions{LabelSelector: labelRehearsal + "=" + t.options.Release, Limit: 1}
	deployments, err := t.cluster.api.AppsV1().Deployments(t.options.Namespace).List(ctx, only)
	if err != nil || len(deployments.Items) > 0 {
		return err == nil, t.cluster.explain("looking for a rehearsal", err)
	}
	secrets, err := t.cluster.api.CoreV1().Secrets(t.options.Namespace).List(ctx, only)
	if err != nil {
		return false, t.cluster.explain("looking for a rehearsal's secrets", err)
	}
	return len(secrets.Items) > 0, nil
}

// live reports whether an object of the release is in the cluster already.
func (t *Target) live(ctx context.Context, kind, name string) bool {
	var err error
	switch api, ns := t.cluster.api.CoreV1(), t.options.Namespace; kind {
	case "ServiceAccount":
		_, err = api.ServiceAccounts(ns).Get(ctx, name, metav1.GetOptions{})
	case "Secret":
		_, err = api.Secrets(ns).Get(ctx, name, metav1.GetOptions{})
	case "ConfigMap":
		_, err = api.ConfigMaps(ns).Get(ctx, name, metav1.GetOptions{})
	default:
		return false
	}
	return err == nil
}

// create makes one of our own objects. One that is there already is the same: its name
// tells its content, or an earlier rehearsal was removed before.
func (t *Target) create(ctx context.Context, o runtime.Object) (err error) {
	ns := t.options.Namespace
	switch o := o.(type) {
	case *corev1.Secret:
		_, err = t.cluster.api.CoreV1().Secrets(ns).Create(ctx, o, metav1.CreateOptions{})
	case *corev1.ConfigMap:
		_, err = t.cluster.api.CoreV1().ConfigMaps(ns).Create(ctx, o, metav1.CreateOptions{})
	case *appsv1.Deployment:
		_, err = t.cluster.api.AppsV1().Deployments(ns).Create(ctx, o, metav1.CreateOptions{})
	default:
		return fmt.Errorf("a gateway is not made of a %T", o)
	}
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return t.cluster.explain(fmt.Sprintf("making %T", o), err)
}

func (t *Target) gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return t.cluster.explain("removing what is not needed any more", err)
}
