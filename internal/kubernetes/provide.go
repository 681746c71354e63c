package kubernetes

import (
	"context"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// provide makes the objects that the values refer to. Their names tell their content,
// so one that is there already is right.
func (t *Target) provide(ctx context.Context, m material) error {
	for _, o := range m.objects {
		if err := t.create(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the objects that provide has made and that no revision in the
// release's history refers to any more.
func (t *Target) sweep(ctx context.Context) error {
	h, err := t.helm.history()
	if err != nil {
		return err
	}
	var manifests strings.Builder
	for _, rel := range h {
		manifests.WriteString(rel.Manifest)
	}
	unused := func(name string) bool {
		return name != object(t.options.Release) && !strings.Contains(manifests.String(), name)
	}

	only := metav1.ListOptions{LabelSelector: labelManagedBy + "=" + managedBy + "," + labelInstance + "=" + t.options.Release + ",!" + labelRehearsal}
	api, ns := t.cluster.api.CoreV1(), t.options.Namespace
	secrets, err := api.Secrets(ns).List(ctx, only)
	if err != nil {
		return t.cluster.explain("looking for secrets of earlier revisions", err)
	}
	for _, s := range secrets.Items {
		if unused(s.Name) {
			if err := t.gone(api.Secrets(ns).Delete(ctx, s.Name, metav1.DeleteOptions{})); err != nil {
				return err
			}
		}
	}
	maps, err := api.ConfigMaps(ns).List(ctx, only)
	if err != nil {
		return t.cluster.explain("looking for certificates of earlier revisions", err)
	}
	for _, m := range maps.Items {
		if unused(m.Name) {
			if err := t.gone(api.ConfigMaps(ns).Delete(ctx, m.Name, metav1.DeleteOptions{})); err != nil {
				return err
			}
		}
	}
	return nil
}
