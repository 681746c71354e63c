package registry

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// pin names one image of a repository, by tag, digest or both. The zero pin names
// none.
type pin struct{ tag, digest string }

// tagForm is what a tag may look like. Source: OCI distribution-spec, "Pulling manifests".
var tagForm = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// parsePin reads image.tag: "tag" or "tag@sha256:...". GitLab's page documents the
// second form: docs.gitlab.com/install/install_ai_gateway.
func parsePin(s string) (pin, error) {
	if s == "" {
		return pin{}, nil
	}
	tag, digest, hasDigest := strings.Cut(s, "@")
	if !tagForm.MatchString(tag) {
		return pin{}, fmt.Errorf(`image.tag %s is not a tag, such as "self-hosted-v18.2.1-ee" or "self-hosted-v18.2.1-ee@sha256:..."`, quote(s))
	}
	if hasDigest && !isDigest(digest) {
		return pin{}, fmt.Errorf(`image.tag %s: what follows the @ is not "sha256:" and 64 hexadecimal digits`, quote(s))
	}
	return pin{tag, digest}, nil
}

// identifier is what a registry is asked for.
func (p pin) identifier() string {
	if p.digest != "" {
		return p.digest
	}
	return p.tag
}

func (p pin) String() string {
	if p.digest != "" {
		return p.tag + "@" + p.digest
	}
	return p.tag
}

// pinned finds the image of image.tag in the first repository that has it.
func (r *Registry) pinned(ctx context.Context, line version.Line, platform v1.Platform) (upgrade.Image, error) {
	var passed passedOver
	for _, repo := range r.repositories {
		image, err := r.describe(ctx, repo, r.pin, platform)
		if err == nil {
			image.Reason = "pinned by image.tag" + r.crossing(line) + passed.String()
			return image, nil
		}
		if ctx.Err() != nil {
			return upgrade.Image{}, fmt.Errorf("looking up image.tag in %q: %w", repo.written, err)
		}
		r.passOver(&passed, repo, err)
	}
	err := fmt.Errorf("image.tag %s was found nowhere: %w", quote(r.pin.String()), passed.err())
	if _, wrong := version.ParseTag(r.pin.tag); wrong != nil && strings.HasPrefix(r.pin.tag, "self-hosted-") {
		return upgrade.Image{}, errors.Join(err, wrong)
	}
	return upgrade.Image{}, err
}

// crossing says what pinning another minor than GitLab's means. A newer gateway with
// an older GitLab is known to break: gitlab-org/gitlab!266527.
func (r *Registry) crossing(line version.Line) string {
	tag, err := version.ParseTag(r.pin.tag)
	if err != nil || tag.Line() == line {
		return ""
	}
	r.log.Warn("the pinned gateway is of another minor release than GitLab, a pair that nobody tests",
		"gitlab", line.String(), "tag", r.pin.tag)
	return fmt.Sprintf(" although GitLab is %s", line)
}
