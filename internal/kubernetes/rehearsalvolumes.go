package kubernetes

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// volumes makes the pod's volumes fit for a second pod beside the first. It returns
// the names of those to mount read-only.
func (r *rehearser) volumes(spec *corev1.PodSpec) (readOnly map[string]bool, err error) {
	readOnly = make(map[string]bool)
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		switch {
		case v.ConfigMap != nil:
			err = r.configMap(&v.ConfigMap.Name)
		case v.Secret != nil:
			err = r.secret(&v.Secret.SecretName)
		case v.Projected != nil:
			err = r.projected(v.Projected)
		case v.HostPath != nil, v.NFS != nil:
			readOnly[v.Name] = true
			r.note("the rehearsal has the volume %s read-only: set rehearse to false if the gateway cannot start so", clean(v.Name, 100))
		case v.PersistentVolumeClaim != nil:
			if readOnly[v.Name], err = r.claim(spec, v); err != nil {
				return nil, err
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return readOnly, nil
}

func (r *rehearser) projected(p *corev1.ProjectedVolumeSource) error {
	for i := range p.Sources {
		if from := p.Sources[i].ConfigMap; from != nil {
			if err := r.configMap(&from.Name); err != nil {
				return err
			}
		}
		if from := p.Sources[i].Secret; from != nil {
			if err := r.secret(&from.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// claim decides about a persistent volume. One that several nodes may have is mounted
// read-only. Any other may be bound to the node of the live gateway, where there may
// be no room for a second one, so the rehearsal gets an empty directory. A claim that
// the manifest does not have counts as such: its modes are not known here.
func (r *rehearser) claim(spec *corev1.PodSpec, v *corev1.Volume) (readOnly bool, err error) {
	name := v.PersistentVolumeClaim.ClaimName
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		if slices.ContainsFunc(c.VolumeDevices, func(d corev1.VolumeDevice) bool { return d.Name == v.Name }) {
			return false, fmt.Errorf("the gateway uses volume %s as a block device, of which there cannot be a second one: set rehearse to false", clean(v.Name, 100))
		}
	}
	var c corev1.PersistentVolumeClaim
	if find(r.rendered, "PersistentVolumeClaim", name) != nil && r.live("PersistentVolumeClaim", name) {
		if err := decode(r.rendered, "PersistentVolumeClaim", name, &c); err != nil {
			return false, err
		}
	}
	shared := func(m corev1.PersistentVolumeAccessMode) bool {
		return m == corev1.ReadOnlyMany || m == corev1.ReadWriteMany
	}
	if slices.ContainsFunc(c.Spec.AccessModes, shared) {
		r.note("the rehearsal has the volume %s read-only: set rehearse to false if the gateway cannot start so", clean(v.Name, 100))
		return true, nil
	}
	v.VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	r.note("the rehearsal has an empty directory in place of the claim %s, which one pod alone may have: set rehearse to false if the gateway needs what is in it", clean(name, 100))
	return false, nil
}
