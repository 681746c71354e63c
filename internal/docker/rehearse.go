package docker

import (
	"context"
	"errors"
	"maps"

	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// Rehearse starts the planned gateway on an address of its own.
func (t *Target) Rehearse(ctx context.Context, plan upgrade.Plan) (upgrade.Gateway, error) {
	b := plan.Detail.(*blueprint)
	if err := t.Dismiss(ctx); err != nil {
		return nil, err
	}
	recipe, notes := b.recipe.Rehearsal(b.family.name + suffixRehearsal)
	for _, n := range notes {
		t.log.Info(n)
	}
	recipe.Config.Labels = t.labels(b, RoleRehearsal)
	m, err := t.create(ctx, recipe, plan.Image)
	if err != nil {
		return nil, err
	}
	candidate := t.engine.gateway(m.id, m.name, false)
	if err := t.start(ctx, m); err != nil {
		if ctx.Err() != nil || client.IsErrConnectionFailed(err) {
			return nil, errors.Join(err, t.remove(context.WithoutCancel(ctx), m, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}))
		}
		// The engine could not start this image: that is for the gate to judge.
		t.log.Warn("the rehearsal does not start", "error", err)
	}
	return candidate, nil
}

// create makes a container and says what the engine had to say about it.
func (t *Target) create(ctx context.Context, r Recipe, image upgrade.Image) (*member, error) {
	asked, cancel := outlast(ctx)
	defer cancel()
	id, warnings, err := Create(asked, t.engine.api, r, image.Reference())
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		t.log.Warn("the engine warns: "+clean(w, 300), "container", r.Name)
	}
	return &member{id: id, name: r.Name, labels: r.Config.Labels}, nil
}

// labels are this program's own, on top of those of the recipe.
func (t *Target) labels(b *blueprint, role string) map[string]string {
	labels := maps.Clone(b.recipe.Config.Labels)
	if role == RoleRehearsal || labels == nil {
		labels = make(map[string]string)
	}
	labels[LabelRole] = role
	labels[LabelTarget] = b.family.name
	labels[LabelConfigured] = t.options.Container
	labels[LabelRun] = t.options.Who
	if b.old != nil {
		labels[LabelReplaces] = b.old.ID
	}
	return labels
}
