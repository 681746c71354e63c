package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	releasev1 "helm.sh/helm/v4/pkg/release/v1"

	"aigw-ci/internal/upgrade"
)

// Promote upgrades the release. The chart's rolling update keeps the old pods until
// new ones are ready; a pod that cannot become ready ends the wait at once, with the
// reason.
func (t *Target) Promote(ctx context.Context, plan upgrade.Plan) (upgrade.Gateway, error) {
	b := plan.Detail.(*blueprint)
	if err := t.unmoved(b); err != nil {
		return nil, err
	}
	r := b.record
	r.Pending = &pending{Last: b.last, Applied: b.applied}
	if !b.install {
		r.Pending.Previous = b.observed.Version
	}
	if plan.Back || r.Back == b.workload.image {
		r.Pending.Back = b.workload.image
	}
	if err := t.save(ctx, r); err != nil {
		return nil, err
	}
	t.begun, t.promoting = &r, b.workload.image
	if err := t.provide(ctx, b.material); err != nil {
		return nil, err
	}
	promoted := t.cluster.gateway(b.workload)
	err := t.roll(ctx, b.workload, func(ctx context.Context) error {
		return t.helm.apply(ctx, b, "aigw-ci: "+reference(plan.Image))
	})
	return promoted, err
}

// unmoved makes sure that the release is still what the plan was made for.
func (t *Target) unmoved(b *blueprint) error {
	h, err := t.helm.history()
	if err != nil {
		return t.cluster.explain("looking for the release", err)
	}
	now := 0
	if last := h.last(); last != nil {
		now = last.Version
	}
	if now != b.last {
		return &upgrade.ForeignError{Place: t.Place(), What: fmt.Sprintf("revision %d is the newest, and it was %d", now, b.last)}
	}
	return nil
}

// roll carries out a change of the release, and stops waiting for it when the pods
// show that it will not end well.
func (t *Target) roll(ctx context.Context, w workload, change func(context.Context) error) error {
	w, err := t.cluster.before(ctx, w)
	if err != nil {
		return err
	}
	waiting, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if err := t.cluster.troubled(waiting, w); err != nil {
			stop(err)
		}
	}()
	err = change(waiting)
	stop(nil)
	<-watched

	var stuck *StuckError
	switch {
	case err == nil:
		return nil
	case errors.As(context.Cause(waiting), &stuck):
		return stuck
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return t.cluster.explain("carrying out the change of release "+t.Place().Name, err)
}

// Restore puts the revision back that was observed before the upgrade. Helm makes a
// new revision of it: the same objects, with the names of the same secrets.
func (t *Target) Restore(ctx context.Context) (upgrade.Gateway, error) {
	h, err := t.helm.history()
	if err != nil {
		return nil, t.cluster.explain("looking for the release", err)
	}
	r, err := t.recall(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.foreign(h, r); err != nil {
		return nil, errors.Join(err, t.forget(ctx, r))
	}
	back, err := t.wayBack(h, r)
	if err != nil {
		return nil, err
	}
	if back == nil {
		if p := r.unfinished(h); p != nil && p.Previous == 0 {
			if err := t.helm.uninstall(ctx); err != nil {
				return nil, t.cluster.explain("removing the release again", err)
			}
		}
		return nil, t.forget(ctx, r)
	}

	w, err := t.workload(back.Manifest)
	if err != nil {
		return nil, err
	}
	away, err := t.away(ctx, h, r, back, w)
	if err != nil {
		return nil, err
	}
	if away {
		if err := t.roll(ctx, w, func(ctx context.Context) error {
			return t.helm.rollback(ctx, back.Version, fmt.Sprintf("aigw-ci: back to revision %d", back.Version))
		}); err != nil {
			return nil, fmt.Errorf("going back to revision %d: %w", back.Version, err)
		}
	}
	return t.cluster.gateway(w), t.forget(ctx, r)
}

// foreign returns a *upgrade.ForeignError when somebody else has taken the release in
// hand since this run's upgrade. A Helm of theirs that died is not at work any more.
func (t *Target) foreign(h history, r record) error {
	last := h.last()
	if last == nil || r.unfinished(h) != nil {
		return nil
	}
	pending := last.Info.Status.IsPending()
	if pending && stale(last) || !pending && r.Pending == nil {
		return nil
	}
	return &upgrade.ForeignError{Place: t.Place(), What: fmt.Sprintf("revision %d is %s", last.Version, last.Info.Status)}
}

// away reports whether the release, or what runs, is something else than the revision
// to go back to. The history alone may not tell: somebody can remove revisions.
func (t *Target) away(ctx context.Context, h history, r record, back *releasev1.Release, w workload) (bool, error) {
	p := r.unfinished(h)
	switch {
	case p == nil:
		return h.last() != back, nil
	case !p.undone(h):
		return true, nil
	}
	image, err := t.imageNow(ctx, w)
	return err == nil && image != w.image && (image == "" || image == t.promoting), err
}

// wayBack is the revision to go back to; nil when there was none. What a killed Helm
// left pending is ended first: until then Helm refuses to do anything.
func (t *Target) wayBack(h history, r record) (*releasev1.Release, error) {
	if last := h.last(); last != nil && last.Info.Status.IsPending() {
		if err := t.helm.fail(last, "left behind by a process that did not end; marked as failed by aigw-ci"); err != nil {
			return nil, t.cluster.explain("ending revision "+strconv.Itoa(last.Version), err)
		}
	}
	p := r.unfinished(h)
	if p == nil {
		return h.deployed(), nil // nil for an installation of somebody else's: not ours to remove
	}
	if p.Previous == 0 {
		return nil, nil
	}
	if back := h.at(p.Previous); back != nil {
		return back, nil
	}
	return nil, fmt.Errorf("revision %d of release %s is not in its history any more", p.Previous, t.Place().Name)
}

// forget ends the record of an upgrade that was undone, and what was made for it.
func (t *Target) forget(ctx context.Context, r record) error {
	r.Pending = nil
	if err := t.save(ctx, r); err != nil {
		return err
	}
	t.begun = nil
	if err := t.sweep(ctx); err != nil {
		t.log.Warn("objects of the upgrade that was undone could not be removed; the next run removes them", "error", err)
	}
	return nil
}
