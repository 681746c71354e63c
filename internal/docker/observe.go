package docker

import (
	"context"
	"strings"

	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// scene is what Observe saw, for Plan.
type scene struct {
	family family
	old    *Inspected // the live container; nil without one
}

// Observe reads the gateway's containers.
func (t *Target) Observe(ctx context.Context) (upgrade.Observation, error) {
	f, err := t.family(ctx)
	if err != nil {
		return upgrade.Observation{}, err
	}
	seen := upgrade.Observation{Interrupted: f.interrupted(), Back: f.back(), Detail: &scene{family: f}}
	if seen.Platform, err = t.engine.Platform(ctx); err != nil {
		return upgrade.Observation{}, err
	}
	if f.live == nil {
		return seen, nil
	}

	old, err := t.inspect(ctx, f.live.id)
	if err != nil {
		return upgrade.Observation{}, err
	}
	t.hide(old.Config.Env)
	live := t.engine.gateway(f.live.id, f.name, true)
	state, err := live.State(ctx)
	if err != nil {
		return upgrade.Observation{}, err
	}
	seen.Detail = &scene{family: f, old: &old}
	seen.Live = live
	seen.Current = &upgrade.Instance{ID: f.live.id, Digests: state.Digests}
	if seen.Current.Image, err = t.reference(ctx, old); err != nil {
		return upgrade.Observation{}, err
	}
	if f.name != t.options.Container {
		seen.Notes = append(seen.Notes, "no container is named "+t.options.Container+"; the gateway is "+f.name+", which runs "+seen.Current.Image)
	}
	return seen, nil
}

func (t *Target) inspect(ctx context.Context, id string) (Inspected, error) {
	answer, err := t.engine.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return Inspected{}, t.engine.explain("inspecting container "+id[:shortID], err)
	}
	return ReadInspect(answer.Raw)
}

// reference is the image a container runs as "repository:tag@sha256:...", so that
// it can be found again when the tag has moved on.
func (t *Target) reference(ctx context.Context, in Inspected) (string, error) {
	name := clean(in.Config.Image, 500)
	if strings.Contains(name, "@") || strings.HasPrefix(name, "sha256:") {
		return name, nil
	}
	image, err := t.engine.api.ImageInspect(ctx, in.Image)
	switch {
	case isNotFound(err):
		return name, nil
	case err != nil:
		return "", t.engine.explain("inspecting image "+name, err)
	}
	repository := name
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		repository = name[:colon]
	}
	for _, d := range image.RepoDigests {
		if digest, ok := strings.CutPrefix(d, repository+"@"); ok {
			return name + "@" + digest, nil
		}
	}
	return name, nil
}
