package kubernetes

import (
	"context"
	"errors"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aigw-ci/internal/upgrade"
)

// Target is a gateway that a Helm release describes.
type Target struct {
	cluster *Cluster
	options Options
	log     *slog.Logger
	helm    helm

	begun     *record // of this run's own upgrade, from Promote on until it is kept or undone
	promoting string  // its image
}

var _ upgrade.Target = (*Target)(nil)

// NewTarget is a release on a cluster. It contacts nothing.
func NewTarget(c *Cluster, o Options) *Target {
	if o.Wait == 0 {
		o.Wait = 5 * time.Minute
	}
	if o.Redact == nil {
		o.Redact = func(...string) {}
	}
	t := &Target{cluster: c, options: o, log: o.Log}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.helm = helm{getter: c.getter, namespace: o.Namespace, release: o.Release, wait: o.Wait, log: t.log}
	return t
}

// Place names the release within its namespace.
func (t *Target) Place() upgrade.Place {
	return upgrade.Place{Kind: "kubernetes", Name: t.options.Namespace + "/" + t.options.Release}
}

// Lock takes the release for this run: against other runs with a Lease, and against
// people by a look at what Helm itself is at. The namespace is made when it is not
// there, because a Lease needs one.
func (t *Target) Lock(ctx context.Context) (<-chan struct{}, func(context.Context) error, error) {
	// What is declared and cannot be is refused before anything is made.
	if _, err := t.options.Declared.material(t.options.Release, t.options.Namespace, time.Now()); err != nil {
		return nil, nil, err
	}
	if err := t.namespace(ctx); err != nil {
		return nil, nil, err
	}
	lost, release, err := t.cluster.lock(ctx, leaseOptions{
		name: object(t.options.Release), who: t.options.Who, ttl: t.options.LockTTL, place: t.Place(),
	})
	if err != nil {
		return nil, nil, err
	}
	if err := t.busy(ctx); err != nil {
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return nil, nil, errors.Join(err, release(free))
	}
	return lost, release, nil
}

// busy returns a *upgrade.LockedError while somebody else's Helm is at work.
func (t *Target) busy(ctx context.Context) error {
	h, err := t.helm.history()
	if err != nil {
		return t.cluster.explain("looking for the release", err)
	}
	r, err := t.record(ctx)
	if err != nil {
		return err
	}
	if last := h.last(); last != nil && last.Info.Status.IsPending() && r.Pending == nil && !stale(last) {
		return &upgrade.LockedError{Place: t.Place(), Holder: upgrade.Holder{
			Who:   "Helm (" + string(last.Info.Status) + ", by " + t.owner(ctx, last.Version) + ")",
			Since: last.Info.LastDeployed,
		}}
	}
	return nil
}

// namespace makes the namespace when it is not there. Who may not look may also not
// make one; then the next request tells whether it is there.
func (t *Target) namespace(ctx context.Context) error {
	namespaces := t.cluster.api.CoreV1().Namespaces()
	_, err := namespaces.Get(ctx, t.options.Namespace, metav1.GetOptions{})
	switch {
	case err == nil, apierrors.IsForbidden(err):
		return nil
	case !apierrors.IsNotFound(err):
		return t.cluster.explain("looking for the namespace", err)
	}
	t.log.Info("making the namespace", "namespace", t.options.Namespace)
	_, err = namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.options.Namespace}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return t.cluster.explain("making the namespace", err)
}

// Prepare has nothing to download: the chart is here since the plan, and the nodes
// pull the image, which the rehearsal is the first to see.
func (t *Target) Prepare(context.Context, upgrade.Plan) error { return nil }

// Keep forgets the revision that Restore would have gone back to. Helm keeps it in
// its history, from where `helm rollback` finds it.
func (t *Target) Keep(ctx context.Context) error {
	r, err := t.recall(ctx)
	if err != nil {
		return err
	}
	if r.Pending != nil {
		r.Applied, r.Back, r.Pending = r.Pending.Applied, r.Pending.Back, nil
		if err := t.save(ctx, r); err != nil {
			return err
		}
		t.begun = nil
	}
	return t.sweep(ctx)
}

// Previous is the newest image in the release's history that is not the current one.
func (t *Target) Previous(ctx context.Context) (upgrade.Past, error) {
	h, err := t.helm.history()
	if err != nil {
		return upgrade.Past{}, t.cluster.explain("looking for the release", err)
	}
	r, err := t.record(ctx)
	if err != nil {
		return upgrade.Past{}, err
	}
	current := ""
	for _, rel := range h.newest() {
		image := t.imageOf(rel)
		switch {
		case image == "" || rel.Info.Status.IsPending():
		case current == "":
			current = image
		case image != current && wentWell(rel):
			return upgrade.Past{Image: image, Left: current == r.Back}, nil
		}
	}
	return upgrade.Past{}, nil
}
