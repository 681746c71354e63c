package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"time"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"

	"aigw-ci/internal/upgrade"
)

// blueprint is what Plan decided, for Rehearse and Promote.
type blueprint struct {
	scene
	install  bool
	chart    *chartv2.Chart
	values   values // the whole of them, as Helm gets them
	applied  values // the part that comes from settings
	drain    drain
	material material
	manifest string
	workload workload // what will run the gateway
}

// Plan renders the chart with the release's values, the settings and the image, and
// compares the result with what the release is now. The API server tries everything
// without doing it, so that what admission or a missing right would refuse shows here.
func (t *Target) Plan(ctx context.Context, seen upgrade.Observation, image upgrade.Image) (upgrade.Plan, error) {
	s := seen.Detail.(*scene)
	if err := t.permitted(ctx); err != nil {
		return upgrade.Plan{}, err
	}
	b := &blueprint{scene: *s, install: s.observed == nil}
	origin, notes, err := t.draw(ctx, b, image)
	if err != nil {
		return upgrade.Plan{}, err
	}
	plan := upgrade.Plan{Action: upgrade.Replace, Image: image, Detail: b, Notes: append(notes, "chart: "+origin.String())}
	if plan.Changes, err = t.changes(b, origin); err != nil {
		return upgrade.Plan{}, err
	}
	switch {
	case b.install:
		plan.Action = upgrade.Install
		plan.Unrehearsed = "there is no gateway yet that a failed installation could take away"
	case len(plan.Changes) == 0 && wentWell(s.observed) && s.observed.Version == s.last:
		plan.Action = upgrade.Nothing
		return plan, nil
	}

	lacks, refusals, err := t.require(b, image)
	if err != nil {
		return upgrade.Plan{}, err
	}
	if len(refusals) > 0 {
		return upgrade.Plan{}, &upgrade.RefusedError{Place: t.Place(), Reasons: refusals}
	}
	plan.Notes = append(plan.Notes, lacks...)
	if r, err := t.derive(ctx, b); err == nil && !b.install { // why there can be none, it says itself
		plan.Notes = append(plan.Notes, r.notes...)
	}
	return plan, t.tryOut(ctx, b)
}

// draw fills in the blueprint: the chart, the values, and what comes of them. That must
// run the image that was chosen, whatever the chart makes of the values.
func (t *Target) draw(ctx context.Context, b *blueprint, image upgrade.Image) (origin chartOrigin, notes []string, err error) {
	if origin, err = t.chooseChart(ctx, b); err != nil {
		return origin, nil, err
	}
	if notes, err = t.settle(b, image); err != nil {
		return origin, nil, err
	}
	if b.drain, err = t.drain(); err != nil {
		return origin, nil, err
	}
	rendered, err := t.helm.render(b)
	if err != nil {
		return origin, nil, t.cluster.explain("rendering chart "+origin.String(), err)
	}
	b.manifest = rendered.Manifest
	if b.workload, err = t.workload(b.manifest); err != nil {
		return origin, nil, fmt.Errorf("chart %s: %w", origin, err)
	}
	if b.workload.image != reference(image) {
		return origin, nil, fmt.Errorf("chart %s would run %s and not %s: it does not take its image from image.repository and image.tag",
			origin, clean(b.workload.image, 300), reference(image))
	}
	return origin, append(notes, origin.Notes...), nil
}

// permitted names every right that is missing, before anything is tried.
func (t *Target) permitted(ctx context.Context) error {
	missing, err := t.cluster.missing(ctx, Rights())
	if err != nil || len(missing) == 0 {
		return err
	}
	refused := &upgrade.RefusedError{Place: t.Place()}
	for _, r := range missing {
		refused.Reasons = append(refused.Reasons, "the right to "+r.String()+" is missing: "+r.Why)
	}
	refused.Reasons = append(refused.Reasons, "docs/kubernetes/role.yaml is a Role with exactly the rights that are needed")
	return refused
}

// chooseChart takes the chart that the settings ask for, or else the one the release
// has: a chart is changed only when somebody asks for it.
func (t *Target) chooseChart(ctx context.Context, b *blueprint) (origin chartOrigin, err error) {
	from := t.options.Chart
	wanted := from.Version
	if !b.install && from.Path == "" {
		if b.observed.Chart == nil || b.observed.Chart.Metadata == nil {
			return origin, errors.New("the release does not say which chart it was made from: set kubernetes.chart.version")
		}
		if wanted == "" || wanted == b.observed.Chart.Metadata.Version {
			wanted = b.observed.Chart.Metadata.Version
			if c, ok := stored(b.observed); ok {
				b.chart = c
				return originOf(c, "the release itself"), nil
			}
		}
	}
	b.chart, origin, err = from.load(ctx, wanted)
	return origin, err
}

// settle decides the values: the administrator's own are what the release has, but for
// what an earlier run put there.
func (t *Target) settle(b *blueprint, image upgrade.Image) (notes []string, err error) {
	declared := t.options.Declared
	if b.material, err = declared.material(t.options.Release, t.options.Namespace, time.Now()); err != nil {
		return nil, err
	}
	t.options.Redact(b.material.secrets()...)
	own := values{}
	if !b.install {
		own = without(b.observed.Config, b.record.Applied)
	}
	b.values, b.applied, notes, err = declared.compose(t.options.Release, b.material, own, image)
	return append(b.material.notes, notes...), err
}

// changes is the difference between what is and what will be.
func (t *Target) changes(b *blueprint, origin chartOrigin) ([]upgrade.Change, error) {
	if b.install {
		changes, err := difference("", b.manifest)
		return append([]upgrade.Change{{Field: "image", To: b.workload.image}, {Field: "chart", To: origin.version()}}, changes...), err
	}
	var changes []upgrade.Change
	if b.image != b.workload.image {
		changes = append(changes, upgrade.Change{Field: "image", From: b.image, To: b.workload.image})
	}
	if now := originOf(b.observed.Chart, "").version(); now != origin.version() {
		changes = append(changes, upgrade.Change{Field: "chart", From: now, To: origin.version()})
	}
	rest, err := difference(b.observed.Manifest, b.manifest)
	return append(changes, rest...), err
}

// reference is the image as the chart puts it together, "repository:tag@sha256:...".
func reference(image upgrade.Image) string {
	v := imageValues(image)["image"].(values)
	return fmt.Sprint(v["repository"], ":", v["tag"])
}
