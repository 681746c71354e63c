package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// Find returns the image with the highest patch of GitLab's own minor release, also
// when it is higher than GitLab's patch. Source: docs.gitlab.com/install/install_ai_gateway:
// "use the AI Gateway image with the latest self-hosted-vX.Y.*-ee tag".
//
// The first repository that has one wins. Find returns an *upgrade.NoImageError only
// when every repository was read and none has one: what could not be read is another
// error.
func (r *Registry) Find(ctx context.Context, gitlab version.GitLab, platform string) (upgrade.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	want, err := parsePlatform(platform)
	if err != nil {
		return upgrade.Image{}, err
	}
	if r.pin != (pin{}) {
		return r.pinned(ctx, gitlab.Line(), want)
	}
	if err := refuse(gitlab); err != nil {
		return upgrade.Image{}, err
	}
	edition := version.Enterprise
	if gitlab.Edition == version.JiHu {
		edition = version.JiHu
	}

	var passed passedOver
	var others []version.Tag
	for _, repo := range r.repositories {
		image, err := r.findIn(ctx, repo, gitlab.Line(), edition, want)
		if err == nil {
			image.Reason += passed.String()
			r.log.Debug("found the gateway image", "gitlab", gitlab.String(), "image", image.Reference(), "reason", image.Reason)
			return image, nil
		}
		if ctx.Err() != nil {
			return upgrade.Image{}, err
		}
		if none := (*noTagError)(nil); errors.As(err, &none) {
			others = append(others, none.others...)
		}
		r.passOver(&passed, repo, err)
	}
	if !passed.onlyMissing() {
		return upgrade.Image{}, fmt.Errorf("finding the gateway image for GitLab %s: %w", gitlab.Line(), passed.err())
	}
	detail := strings.TrimPrefix(passed.String(), passedPrefix)
	if edition == version.JiHu && r.defaults {
		// Source: JiHu's edition of the installation page.
		detail += "; JiHu publishes in registry.gitlab.cn/model-gateway/model-gateway-self-hosted, set image.repository to it"
	}
	return upgrade.Image{}, &upgrade.NoImageError{Wanted: gitlab.Line(), Nearest: nearest(gitlab.Line(), others), Detail: detail}
}

// refuse turns away the versions for which no gateway is ever published.
func refuse(gitlab version.GitLab) error {
	detail := ""
	switch {
	case gitlab.Pre:
		// Source: docs.gitlab.com/install/install_ai_gateway, on nightly images.
		detail = gitlab.String() + " is a build from before the release, and images are tagged with the release;" +
			" nightly images, gitlab/model-gateway-self-hosted on Docker Hub, are not recommended by GitLab"
	case gitlab.Edition == version.Community:
		detail = gitlab.String() + " is GitLab Community Edition, and GitLab Duo, which the gateway serves, is in Enterprise Edition alone"
	default:
		return nil
	}
	return &upgrade.NoImageError{Wanted: gitlab.Line(), Detail: detail}
}

// findIn looks in one repository. Without a tag for the line the error is a
// *noTagError.
func (r *Registry) findIn(ctx context.Context, repo repository, line version.Line, edition version.Edition, platform v1.Platform) (upgrade.Image, error) {
	found, others, err := r.tags(ctx, repo, line, edition)
	if err != nil {
		return upgrade.Image{}, fmt.Errorf("reading tags of %q: %w", repo.written, err)
	}
	if len(found) == 0 {
		return upgrade.Image{}, &noTagError{repo.written, line, edition, others}
	}
	best := slices.MaxFunc(found, version.Tag.Compare)
	image, err := r.describe(ctx, repo, pin{tag: best.String()}, platform)
	if err != nil {
		return upgrade.Image{}, fmt.Errorf("looking up %q: %w", repo.written+":"+best.String(), err)
	}
	image.Reason = fmt.Sprintf("highest patch of %s among %d tags in %s", line, len(found), repo.written)
	if len(found) == 1 {
		image.Reason = fmt.Sprintf("the only tag of %s in %s", line, repo.written)
	}
	return image, nil
}

// tagPrefix begins every stable gateway tag.
const tagPrefix = "self-hosted-v"

// tags reads the stable tags of one line. When there are none, others are those of
// all lines.
//
// That there are none is said only on proof. An empty answer may also mean that the
// registry wants `last` to be a tag that exists, or sorts in some third way. So a
// wider listing must show that it does contain stable tags, and in order; otherwise
// every tag is read.
func (r *Registry) tags(ctx context.Context, repo repository, line version.Line, edition version.Edition) (found, others []version.Tag, err error) {
	names, sound, err := r.after(ctx, repo, tagPrefix+line.String()+".", cursorPage)
	if err != nil {
		return nil, nil, err
	}
	if found = ofLine(parse(names, edition), line); sound && len(found) > 0 {
		return found, nil, nil
	}
	var all []version.Tag
	if sound {
		if names, sound, err = r.after(ctx, repo, tagPrefix, fullPage); err != nil {
			return nil, nil, err
		}
		all = parse(names, edition)
	}
	if !sound || len(all) == 0 {
		r.log.Info("reading all tags: the registry gives no certain answer about a part of them", "repository", repo.written)
		if names, err = r.all(ctx, repo, tagPrefix); err != nil {
			return nil, nil, err
		}
		all = parse(names, edition)
	}
	return ofLine(all, line), all, nil
}

// parse keeps the stable tags of an edition, each once.
func parse(names []string, edition version.Edition) []version.Tag {
	var tags []version.Tag
	for _, n := range names {
		if t, err := version.ParseTag(n); err == nil && t.Edition == edition {
			tags = append(tags, t)
		}
	}
	slices.SortFunc(tags, version.Tag.Compare)
	return slices.Compact(tags)
}

func ofLine(tags []version.Tag, line version.Line) []version.Tag {
	var of []version.Tag
	for _, t := range tags {
		if t.Line() == line {
			of = append(of, t)
		}
	}
	return of
}
