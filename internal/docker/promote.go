package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"aigw-ci/internal/upgrade"
)

// Promote makes the planned container, compares it with the old one, and only
// then puts it in its place.
func (t *Target) Promote(ctx context.Context, plan upgrade.Plan) (upgrade.Gateway, error) {
	b := plan.Detail.(*blueprint)
	recipe := b.recipe.clone()
	recipe.Name = b.family.name + suffixNext
	recipe.Config.Labels = t.labels(b, RoleGateway)
	if b.old != nil {
		previous, err := t.reference(ctx, *b.old)
		if err != nil {
			return nil, err
		}
		remember(recipe.Config.Labels, b.old.Config.Labels, previous, plan)
		recipe.Config.Labels[LabelRestart] = string(b.old.HostConfig.RestartPolicy.Name)
	}
	next, err := t.create(ctx, recipe, plan.Image)
	if err != nil {
		return nil, err
	}
	if b.family.live == nil {
		t.installed = next.id
	}
	if err := t.faithful(ctx, b, next, plan.Image); err != nil {
		return nil, err
	}

	old := b.family.live
	switch {
	case old == nil:
		err = errors.Join(t.rename(ctx, next, b.family.name), t.start(ctx, next))
	case b.beside:
		err = t.moveOver(ctx, b, old, next)
	default:
		err = t.swap(ctx, b, old, next)
	}
	if err != nil {
		return nil, err
	}
	if err := t.faithful(ctx, b, next, plan.Image); err != nil {
		return nil, err
	}
	return t.engine.gateway(next.id, b.family.name, true), nil
}

// remember labels a gateway with what came before it. One of the same image, with
// other settings, remembers what the one before it did.
func remember(labels, old map[string]string, previous string, plan upgrade.Plan) {
	back := plan.Back
	if strings.HasSuffix(previous, "@"+plan.Image.Digest) {
		previous, back = old[LabelPrevious], old[LabelBack] != ""
	}
	if previous != "" {
		labels[LabelPrevious] = previous
	}
	if back {
		labels[LabelBack] = "true"
	}
}

// swap stops the old container and starts the new one. All that can be done
// before the stop is done before it, so the outage is one stop and one start. The
// names change while the old container still serves: they tell the next run how
// far this one came.
func (t *Target) swap(ctx context.Context, b *blueprint, old, next *member) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// From here on a cancelled job has nothing to gain from half a swap: an engine
	// carries out what its client no longer waits for, and the way back would look at
	// names that are about to change.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), swapTime)
	defer cancel()
	if err := t.rename(ctx, old, b.family.name+suffixPrevious); err != nil {
		return err
	}
	if err := t.rename(ctx, next, b.family.name); err != nil {
		return err
	}
	if err := t.stop(ctx, old, 0); err != nil {
		return err
	}
	if err := t.start(ctx, next); err != nil {
		return err
	}
	if err := t.retire(ctx, b, old); err != nil || len(t.options.Reload) == 0 {
		return err
	}
	// A proxy may use the name and not the port: it has a new address now.
	t.awaitReload(ctx, next)
	return t.reload(ctx)
}

// swapTime bounds a stop and a start; a container may have a long grace of its own.
const swapTime = 5 * time.Minute

// retire keeps a stopped container stopped when the engine restarts.
func (t *Target) retire(ctx context.Context, b *blueprint, old *member) error {
	if b.old.HostConfig.RestartPolicy.Name != container.RestartPolicyAlways {
		return nil
	}
	return t.restartPolicy(ctx, old, container.RestartPolicyDisabled)
}

// faithful compares the new container with the old one. Only what the plan says,
// and what the new image provides, may differ.
func (t *Target) faithful(ctx context.Context, b *blueprint, next *member, image upgrade.Image) error {
	if b.old == nil {
		return nil
	}
	made, err := t.inspect(ctx, next.id)
	if err != nil {
		return err
	}
	provided, err := t.imageConfig(ctx, made.Image)
	if err != nil {
		return err
	}
	if provided == nil {
		return fmt.Errorf("the image %s disappeared from the engine", image.Reference())
	}
	expected := Differences(b.old, b.recipe, image.Reference(), *provided)
	if wrong := Compare(*b.old, made, expected); len(wrong) > 0 {
		lines := make([]string, len(wrong))
		for i, d := range wrong {
			lines[i] = "\n  - " + d.String()
		}
		return fmt.Errorf("the new container would not have the settings of the old one:%s", strings.Join(lines, ""))
	}
	return nil
}
