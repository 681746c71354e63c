package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// blueprint is what Plan decided, for Rehearse and Promote.
type blueprint struct {
	scene
	recipe Recipe

	// beside is set when the new gateway can run while the old one still does: then
	// no request needs to fail.
	beside bool
}

// Plan compares the gateway that runs with image and the declared settings.
func (t *Target) Plan(ctx context.Context, seen upgrade.Observation, image upgrade.Image) (upgrade.Plan, error) {
	s := seen.Detail.(*scene)
	if !t.options.ForeignPlatform && image.Platform != "" && seen.Platform != "" && !samePlatform(image.Platform, seen.Platform) {
		return upgrade.Plan{}, fmt.Errorf("the image is for %s, and the engine runs %s: set image.platform if it can run the other on purpose", image.Platform, seen.Platform)
	}
	if s.old == nil {
		return t.planInstall(ctx, s, image)
	}
	return t.planReplace(ctx, s, image, image.Is(seen.Current.Digests))
}

func (t *Target) planInstall(ctx context.Context, s *scene, image upgrade.Image) (upgrade.Plan, error) {
	o := t.options.Install
	o.Name, o.Declared, o.Random = s.family.name, t.options.Declared, t.options.Random
	o.Line, _ = image.Line()
	recipe, found, err := Install(o)
	if err != nil {
		return upgrade.Plan{}, err
	}
	if err := t.exists(ctx, recipe); err != nil {
		return upgrade.Plan{}, err
	}
	found.Notes = append(found.Notes, t.lacks(ctx, recipe, o.Line)...)
	return t.plan(upgrade.Install, image, &blueprint{scene: *s, recipe: recipe}, found,
		Differences(nil, recipe, image.Reference(), ImageConfig{}))
}

func (t *Target) planReplace(ctx context.Context, s *scene, image upgrade.Image, same bool) (upgrade.Plan, error) {
	from := Source{Container: *s.old, API: t.engine.api.ClientVersion(), Reference: image.Reference()}
	config, err := t.imageConfig(ctx, s.old.Image)
	if err != nil {
		return upgrade.Plan{}, err
	}
	from.Image = config

	if !t.isGateway(s) {
		return upgrade.Plan{}, &upgrade.RefusedError{Place: t.place(s.family.name), Reasons: []string{fmt.Sprintf(
			"it runs %s, which is no gateway image: set docker.container to the gateway's name; if this is one, add its repository to image.repository", clean(s.old.Config.Image, 300))}}
	}

	recipe, _ := Copy(from)
	declared := recipe.Declare(t.options.Declared)
	reference := image.Reference()
	if same {
		reference = s.old.Config.Image
	}
	provided := ImageConfig{}
	if config != nil {
		provided = *config
	}
	if same && len(Differences(s.old, recipe, reference, provided)) == 0 {
		return upgrade.Plan{Action: upgrade.Nothing, Image: image, Notes: amiss(recipe, image)}, nil
	}

	// Something will be done, so what the container depends on is looked at, too.
	if from.Others, err = t.others(ctx, s.family); err != nil {
		return upgrade.Plan{}, err
	}
	recipe, found := Copy(from)
	recipe.Declare(t.options.Declared)
	found.add(declared)
	if line, ok := image.Line(); ok {
		before := gateway.LineOf(s.old.Config.Image)
		required, err := recipe.Require(before, line, t.options.Install.GitLabURL, t.options.Random)
		if err != nil {
			return upgrade.Plan{}, err
		}
		found.add(required)
		found.add(recipe.Publish(before, line, from.Others))
		found.Notes = append(found.Notes, t.lacks(ctx, recipe, line)...)
	}
	if err := recipe.CarryOver(ctx, t.engine.api, s.old.ID); err != nil {
		return upgrade.Plan{}, err
	}
	b := &blueprint{scene: *s, recipe: recipe, beside: len(recipe.Exclusive()) == 0}
	t.checkReload(ctx, &found)
	if b.beside && len(t.options.Reload) == 0 {
		found.note("no host port is published, so both gateways run during the upgrade; a reverse proxy that looks names up only when it starts (nginx) must be named in docker.reload")
	}
	return t.plan(upgrade.Replace, image, b, found, Differences(s.old, recipe, image.Reference(), provided))
}

// isGateway reports whether the container of the configured name runs a gateway,
// and not something that a mistyped name would put an end to.
func (t *Target) isGateway(s *scene) bool {
	return s.family.live.ours() || gateway.IsGatewayRepository(s.old.Config.Image, t.options.Repositories...)
}

func (t *Target) plan(action upgrade.Action, image upgrade.Image, b *blueprint, found Findings, differences []Difference) (upgrade.Plan, error) {
	if len(found.Refusals) > 0 {
		return upgrade.Plan{}, &upgrade.RefusedError{Place: t.place(b.family.name), Reasons: found.Refusals}
	}
	t.hide(b.recipe.Config.Env)
	return upgrade.Plan{Action: action, Image: image, Changes: Changes(differences), Notes: found.Notes, Detail: b}, nil
}

// imageConfig is what an image on the engine provides; nil when it is gone.
func (t *Target) imageConfig(ctx context.Context, name string) (*ImageConfig, error) {
	image, err := t.engine.api.ImageInspect(ctx, name)
	switch {
	case isNotFound(err):
		return nil, nil
	case err != nil:
		return nil, t.engine.explain("inspecting image "+clean(name, 300), err)
	case image.Config == nil:
		return &ImageConfig{}, nil
	}
	return image.Config, nil
}

// others are all containers but the gateway's own and this program's helpers.
func (t *Target) others(ctx context.Context, f family) ([]Inspected, error) {
	list, err := t.engine.api.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, t.engine.explain("listing containers", err)
	}
	var found []Inspected
	for _, c := range list.Items {
		if c.ID == f.live.id || c.Labels[LabelRole] != "" {
			continue
		}
		other, err := t.inspect(ctx, c.ID)
		if isNotFound(err) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		found = append(found, other)
	}
	return found, nil
}

// exists makes sure that what a first install names is there.
func (t *Target) exists(ctx context.Context, r Recipe) error {
	for name := range r.Networks {
		if _, err := t.engine.api.NetworkInspect(ctx, name, client.NetworkInspectOptions{}); err != nil {
			return fmt.Errorf("%w\nset docker.network to a network of the engine, or create it: docker network create %s",
				t.engine.explain("looking for network "+clean(name, 100), err), clean(name, 100))
		}
	}
	return nil
}

// checkReload looks at the containers that are to get SIGHUP. An engine takes a
// signal to a container that names no stop signal of its own for a wish to end it,
// and does not restart that container again until somebody starts it. Source:
// moby, daemon/kill.go; seen on 20.10. nginx's own image names one (SIGQUIT).
func (t *Target) checkReload(ctx context.Context, found *Findings) {
	for _, name := range t.options.Reload {
		proxy, err := t.engine.api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
		if err != nil {
			found.refuse("docker.reload names the container %q: %s", clean(name, 100), engineWords(err))
			continue
		}
		c := proxy.Container
		if c.Config != nil && c.Config.StopSignal == "" && c.HostConfig != nil && !c.HostConfig.RestartPolicy.IsNone() {
			found.note("the engine no longer restarts the container %s by itself once it got SIGHUP, as it has no stop signal of its own: start it with --stop-signal (SIGQUIT for nginx)", clean(name, 100))
		}
	}
}

// amiss is what a gateway that runs already lacks, which no upgrade is about to add.
// The gate judges what comes of it.
func amiss(r Recipe, image upgrade.Image) []string {
	line, ok := image.Line()
	if !ok {
		return nil
	}
	var found Findings
	for _, gap := range gateway.Crossing(line, line, r.lookup) {
		if found.note("%s", gap); gap.Fills() {
			found.Notes[len(found.Notes)-1] = fmt.Sprintf("%s is not set, which gateways of GitLab %s and later need; the next upgrade adds it, or declare it now", gap.Name, gap.Line)
		}
	}
	r.suspect(&found)
	return found.Notes
}

// samePlatform compares system and architecture; an engine does not tell variants.
func samePlatform(a, b string) bool {
	short := func(p string) []string { return strings.SplitN(p, "/", 3)[:min(2, strings.Count(p, "/")+1)] }
	return slices.Equal(short(a), short(b))
}
