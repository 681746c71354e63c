package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a gateway was told is the second half of a look from inside: a road to GitLab
// helps a gateway only when it takes that GitLab for its own, and trusts it.
var _ interface {
	Authorities(context.Context) (map[string][]byte, error) // as internal/verify asks for them
	GitLabURL(context.Context) (string, error)
} = (*handle)(nil)

// errHidden is why a variable is not known here: no secret is read.
var errHidden = errors.New("it comes from a place that is not read, such as a Secret")

// GitLabURL is the gateway's AIGW_GITLAB_URL; empty when it is not set. It is an error
// when it may be set by a Secret.
func (h *handle) GitLabURL(ctx context.Context) (string, error) {
	spec, err := h.inside(ctx)
	if err != nil {
		return "", err
	}
	return h.variable(ctx, spec, "AIGW_GITLAB_URL")
}

// Authorities are the CA bundles that the gateway was told to trust, by the variable
// that names each; nil data is a file that is not there. Without any, the gateway
// trusts what its image does. Files are read where they come from, which is a
// ConfigMap or a Secret with certificates; what is in an image or on a disk is an
// error, and not read.
func (h *handle) Authorities(ctx context.Context) (map[string][]byte, error) {
	spec, err := h.inside(ctx)
	if err != nil {
		return nil, err
	}
	bundles := make(map[string][]byte)
	for _, name := range bundleVariables {
		file, err := h.variable(ctx, spec, name)
		if err != nil {
			return nil, err
		}
		if file == "" {
			continue
		}
		if bundles[name], err = h.file(ctx, spec, file); err != nil {
			return nil, fmt.Errorf("reading %s in Deployment %s: %w", clean(file, 200), h.deployment, err)
		}
	}
	return bundles, nil
}

// inside is the pod as the cluster made it, or as the Deployment would.
func (h *handle) inside(ctx context.Context) (*corev1.PodSpec, error) {
	r, err := h.cluster.rollout(ctx, h.workload)
	if err != nil {
		return nil, err
	}
	spec := &r.deployment.Spec.Template.Spec
	if pod := reachable(r.pods, h.container); pod != nil {
		spec = &pod.Spec
	}
	if containerOf(spec, h.container) == nil {
		return nil, fmt.Errorf("Deployment %s has no container %s", h.deployment, h.container)
	}
	return spec, nil
}

// variable is one variable of the gateway's container; empty when it is not set.
func (h *handle) variable(ctx context.Context, spec *corev1.PodSpec, name string) (string, error) {
	container := containerOf(spec, h.container)
	named := slices.ContainsFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == name && v.ValueFrom != nil })
	env, err := h.cluster.plainVariables(ctx, container)
	if err != nil {
		return "", err
	}
	value, known := env[name]
	secrets := slices.ContainsFunc(container.EnvFrom, func(e corev1.EnvFromSource) bool { return e.SecretRef != nil })
	if named || !known && secrets && !published(name) || strings.Contains(value, "$(") {
		return "", fmt.Errorf("reading %s of Deployment %s: %w", name, h.deployment, errHidden)
	}
	return value, nil
}

// published reports whether a variable that is no secret would hardly be put into
// one: the name of a file. GitLab's chart always has a Secret of variables, for keys
// to models, and what cannot be in it need not be looked for there.
func published(name string) bool { return slices.Contains(bundleVariables, name) }

// file reads a file of the gateway's container; nil when there is none.
func (h *handle) file(ctx context.Context, spec *corev1.PodSpec, name string) ([]byte, error) {
	container := containerOf(spec, h.container)
	name = path.Clean("/" + name) // the image's working directory is not known here
	var at *corev1.VolumeMount    // the innermost one that has it
	for i, m := range container.VolumeMounts {
		dir := path.Clean("/" + m.MountPath)
		if (name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")) && (at == nil || len(dir) > len(path.Clean("/"+at.MountPath))) {
			at = &container.VolumeMounts[i]
		}
	}
	if at == nil {
		return nil, errors.New("it is in the image")
	}
	i := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == at.Name })
	if i < 0 || at.SubPathExpr != "" {
		return nil, errors.New("where it comes from cannot be told")
	}
	key := strings.TrimPrefix(path.Join("/", at.SubPath, strings.TrimPrefix(name, path.Clean("/"+at.MountPath))), "/")
	switch v := spec.Volumes[i]; {
	case v.ConfigMap != nil:
		return h.cluster.fromConfigMap(ctx, v.ConfigMap.Name, key, v.ConfigMap.Items)
	case v.Secret != nil:
		return h.cluster.fromSecret(ctx, v.Secret.SecretName, key, v.Secret.Items)
	case v.Projected != nil:
		return h.cluster.fromProjected(ctx, v.Projected, key)
	}
	return nil, fmt.Errorf("it is in the volume %s, which has files of its own", clean(at.Name, 100))
}

// fileKey is the key whose value is a volume's file; empty when there is no such file.
func fileKey(file string, items []corev1.KeyToPath) string {
	if len(items) == 0 {
		return file
	}
	for _, item := range items {
		if path.Clean(item.Path) == file {
			return item.Key
		}
	}
	return ""
}

func (c *Cluster) fromConfigMap(ctx context.Context, name, file string, items []corev1.KeyToPath) ([]byte, error) {
	found, err := c.api.CoreV1().ConfigMaps(c.namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, c.explain("reading ConfigMap "+clean(name, 100), err)
	}
	key := fileKey(file, items)
	if text, ok := found.Data[key]; ok {
		return []byte(text), nil
	}
	return found.BinaryData[key], nil
}

func (c *Cluster) fromSecret(ctx context.Context, name, file string, items []corev1.KeyToPath) ([]byte, error) {
	found, err := c.api.CoreV1().Secrets(c.namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, c.explain("reading Secret "+clean(name, 100), err)
	}
	return found.Data[fileKey(file, items)], nil
}

// fromProjected looks through the sources of a projected volume; of two with the same
// file the later one has it.
func (c *Cluster) fromProjected(ctx context.Context, v *corev1.ProjectedVolumeSource, file string) (data []byte, err error) {
	for _, s := range slices.Backward(v.Sources) {
		switch {
		case s.ConfigMap != nil:
			data, err = c.fromConfigMap(ctx, s.ConfigMap.Name, file, s.ConfigMap.Items)
		case s.Secret != nil:
			data, err = c.fromSecret(ctx, s.Secret.Name, file, s.Secret.Items)
		default:
			err = errors.New("it is in a projected volume with sources that are not read")
		}
		if data != nil || err != nil {
			return data, err
		}
	}
	return nil, nil
}
