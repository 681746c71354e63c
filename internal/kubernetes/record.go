package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels of the objects that are ours and not the chart's.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelInstance  = "app.kubernetes.io/instance"
	managedBy      = "aigw-ci"
)

// object names what belongs to a release and is ours: its Lease and its record.
func object(release string) string { return "aigw-ci." + release }

// record is what has to be known about a release after a kill, and from run to run.
// It lies in a Secret, because values may hold what is secret.
type record struct {
	// Pending is set from before an upgrade touches anything until it was kept or
	// undone.
	Pending *pending `json:"pending,omitempty"`

	// Applied are the values that settings, and not the administrator's own hand, put
	// into the release.
	Applied values `json:"applied,omitempty"`

	// Back is the image that a rollback brought back. It tells nothing once another
	// one runs.
	Back string `json:"back,omitempty"`
}

// pending is an upgrade on its way.
type pending struct {
	Previous int    `json:"previous"` // the revision that was observed to serve; 0 for none
	Last     int    `json:"last"`     // the newest revision before the upgrade; 0 for none
	Applied  values `json:"applied,omitempty"`
	Back     string `json:"back,omitempty"` // of a rollback: the image it brings back
}

// unfinished is the upgrade that the record and the history tell of: nil also when
// somebody has taken the release in hand since, and made revisions of their own.
func (r record) unfinished(h history) *pending {
	p, last := r.Pending, h.last()
	if p != nil && last != nil && last.Version > p.Last+1 && last.Info.RollbackRevision != p.Previous {
		return nil
	}
	return p
}

// done reports whether the upgrade was carried out, whatever it is worth.
func (p *pending) done(h history) bool {
	last := h.last()
	return last != nil && last.Version == p.Last+1 && last.Info.RollbackRevision == 0 && wentWell(last)
}

// undone reports whether the release is where it was: the upgrade never began, or
// somebody has already gone back.
func (p *pending) undone(h history) bool {
	last := h.last()
	if last == nil {
		return p.Previous == 0
	}
	return last.Version == p.Last || (p.Previous != 0 && last.Info.RollbackRevision == p.Previous && wentWell(last))
}

// record reads the record; one that is not there is empty.
func (t *Target) record(ctx context.Context) (record, error) {
	var r record
	s, err := t.cluster.api.CoreV1().Secrets(t.options.Namespace).Get(ctx, object(t.options.Release), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return r, nil
	}
	if err != nil {
		return r, t.cluster.explain("reading the record of earlier runs", err)
	}
	if err := json.Unmarshal(s.Data["record"], &r); err != nil {
		return r, fmt.Errorf("the record of earlier runs, Secret %s/%s, cannot be read (%v): delete it if nothing else helps; the next run then takes all of the release's values for the administrator's own",
			t.options.Namespace, object(t.options.Release), err)
	}
	return r, nil
}

// recall is the record, and what this run itself has begun: a record that somebody
// removed meanwhile must not make it forget the way back.
func (t *Target) recall(ctx context.Context) (record, error) {
	r, err := t.record(ctx)
	if err != nil || r.Pending != nil || t.begun == nil {
		return r, err
	}
	t.log.Warn("somebody removed the record of this run", "secret", object(t.options.Release))
	return *t.begun, nil
}

// save writes the record; an empty one is removed.
func (t *Target) save(ctx context.Context, r record) error {
	secrets := t.cluster.api.CoreV1().Secrets(t.options.Namespace)
	if r.Pending == nil && len(r.Applied) == 0 && r.Back == "" {
		err := secrets.Delete(ctx, object(t.options.Release), metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return t.cluster.explain("removing the record of this run", err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("recording this run: %w", err)
	}
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      object(t.options.Release),
			Namespace: t.options.Namespace,
			Labels:    map[string]string{labelManagedBy: managedBy, labelInstance: t.options.Release},
		},
		Type: "aigw-ci/record",
		Data: map[string][]byte{"record": data},
	}
	_, err = secrets.Update(ctx, s, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = secrets.Create(ctx, s, metav1.CreateOptions{})
	}
	return t.cluster.explain("recording this run", err)
}
