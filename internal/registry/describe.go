package registry

import (
	"context"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"aigw-ci/internal/upgrade"
)

// Describe looks up an image by reference: "repository:tag@sha256:...", or with one
// of tag and digest. With both, the digest decides, and that the tag still points to
// it is not looked at: tags are pushed again. The platform is one such as
// "linux/amd64"; empty means that one.
func (r *Registry) Describe(ctx context.Context, reference, platform string) (upgrade.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	want, err := parsePlatform(platform)
	if err != nil {
		return upgrade.Image{}, err
	}
	repo, pin, err := parseReference(reference)
	if err != nil {
		return upgrade.Image{}, err
	}
	image, err := r.describe(ctx, repo, pin, want)
	if err != nil {
		return upgrade.Image{}, fmt.Errorf("looking up image %s: %w", quote(reference), err)
	}
	image.Reason = "named by its reference"
	return image, nil
}

// describe reads everything there is to know about an image without pulling it.
func (r *Registry) describe(ctx context.Context, repo repository, p pin, want v1.Platform) (upgrade.Image, error) {
	root, err := r.manifest(ctx, repo, p.identifier())
	if err != nil {
		return upgrade.Image{}, err
	}
	found, err := r.leaf(ctx, repo, root, want)
	if err != nil {
		return upgrade.Image{}, err
	}
	return upgrade.Image{
		Repository:     repo.written,
		Tag:            p.tag,
		Digest:         root.digest,
		PlatformDigest: found.digest,
		ConfigDigest:   found.config,
		Platform:       found.platform,
	}, nil
}

// parseReference splits a reference. A bare repository names no image: the "latest"
// that other tools add is not a gateway one wants.
func parseReference(reference string) (repository, pin, error) {
	wrong := func() (repository, pin, error) {
		return repository{}, pin{}, fmt.Errorf(`%s does not name an image, as "repository:tag@sha256:..." does`, quote(reference))
	}
	named, digest, hasDigest := strings.Cut(reference, "@")
	written, tag := named, ""
	if colon := strings.LastIndexByte(named, ':'); colon > strings.LastIndexByte(named, '/') {
		written, tag = named[:colon], named[colon+1:]
		if !tagForm.MatchString(tag) {
			return wrong()
		}
	}
	if tag == "" && !hasDigest {
		return wrong()
	}
	if hasDigest && !isDigest(digest) {
		return wrong()
	}
	repo, err := parseRepository(written)
	if err != nil {
		return wrong()
	}
	return repo, pin{tag: tag, digest: digest}, nil
}

func isDigest(s string) bool {
	h, err := v1.NewHash(s)
	return err == nil && h.Algorithm == "sha256"
}
