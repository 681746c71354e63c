package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// defaultPlatform is the one that every gateway image has.
	// Source: docs.gitlab.com/install/install_ai_gateway.
	defaultPlatform = "linux/amd64"

	maxConfig   = 8 << 20 // bytes of an image configuration
	maxChildren = 256     // entries of an index
	maxNested   = 4       // indexes inside an index that are read
)

// leaf is the image of one platform.
type leaf struct {
	digest, config string
	platform       string
}

// leaf finds the image for a platform below a manifest. Indexes inside the index are
// read only when the entries beside them do not fit.
func (r *Registry) leaf(ctx context.Context, repo repository, root *manifest, want v1.Platform) (leaf, error) {
	if root.image != nil {
		return r.only(ctx, repo, root, want)
	}
	var has []string
	index, nested := root.index, []v1.Descriptor(nil)
	for read := 0; ; read++ {
		if len(index.Manifests) > maxChildren {
			return leaf{}, fmt.Errorf("its index has more than %d entries", maxChildren)
		}
		for _, child := range index.Manifests {
			switch {
			case attestation(child):
			case child.MediaType.IsIndex():
				nested = append(nested, child)
			case child.Platform == nil || !child.MediaType.IsImage():
			case satisfies(*child.Platform, want):
				return r.child(ctx, repo, child)
			default:
				has = append(has, clean(child.Platform.String()))
			}
		}
		if len(nested) == 0 {
			return leaf{}, wrongPlatform(has, want)
		}
		if read == maxNested {
			return leaf{}, fmt.Errorf("its index holds more than %d others", maxNested)
		}
		m, err := r.manifest(ctx, repo, nested[0].Digest.String())
		if err != nil {
			return leaf{}, err
		}
		if m.index == nil {
			return leaf{}, errors.New("its index calls an image an index")
		}
		index, nested = m.index, nested[1:]
	}
}

// child is the leaf that an index names.
func (r *Registry) child(ctx context.Context, repo repository, d v1.Descriptor) (leaf, error) {
	m, err := r.manifest(ctx, repo, d.Digest.String())
	if err != nil {
		return leaf{}, err
	}
	if m.image == nil {
		return leaf{}, errors.New("its index calls an index an image")
	}
	return leaf{m.digest, m.image.Config.Digest.String(), d.Platform.String()}, nil
}

// only is the leaf of an image without an index. Its platform is in its configuration
// alone. When that cannot be had the image is taken to be right: it often lies on a
// storage host that this machine may not reach but the engine that pulls it can.
func (r *Registry) only(ctx context.Context, repo repository, m *manifest, want v1.Platform) (leaf, error) {
	config := m.image.Config.Digest.String()
	found := leaf{m.digest, config, want.String()}
	got, err := r.get(ctx, repo, "blobs/"+config, nil, "*/*", maxConfig)
	if err != nil {
		if ctx.Err() != nil {
			return leaf{}, err
		}
		r.log.Warn("the image's platform is not known before the pull", "repository", repo.written, "error", err)
		return found, nil
	}
	if digestOf(got.body) != config {
		return leaf{}, fmt.Errorf("%s: the answer does not have that digest: it was changed or damaged on the way", got.what)
	}
	var is v1.Platform
	if err := json.Unmarshal(got.body, &is); err != nil {
		return leaf{}, fmt.Errorf("%s is not an image configuration", got.what)
	}
	if !satisfies(is, want) {
		return leaf{}, wrongPlatform([]string{clean(is.String())}, want)
	}
	found.platform = is.String()
	return found, nil
}

// attestation reports whether an entry describes another one instead of being an
// image: BuildKit gives those the platform unknown/unknown. Source:
// docs.docker.com/build/metadata/attestations/attestation-storage.
func attestation(d v1.Descriptor) bool {
	return d.Platform != nil && d.Platform.OS == "unknown" ||
		d.Annotations["vnd.docker.reference.type"] == "attestation-manifest"
}

func wrongPlatform(has []string, want v1.Platform) error {
	slices.Sort(has)
	list := strings.Join(slices.Compact(has), ", ")
	if list == "" {
		list = "no platform"
	}
	return fmt.Errorf("the image has %s, the target is %s", list, want.String())
}

func parsePlatform(s string) (v1.Platform, error) {
	if s == "" {
		s = defaultPlatform
	}
	p, err := v1.ParsePlatform(s)
	if err != nil || p.OS == "" || p.Architecture == "" || len(s) > maxQuoted {
		return v1.Platform{}, fmt.Errorf(`platform %s is not of the form "linux/amd64"`, quote(s))
	}
	return *p, nil
}

// satisfies reports whether an image for the platform has runs where want is wanted.
// The v8 of arm64 is its only variant in use and may be left out on either side.
func satisfies(has, want v1.Platform) bool {
	return has.OS == want.OS && has.Architecture == want.Architecture &&
		(variant(want) == "" || variant(has) == variant(want))
}

func variant(p v1.Platform) string {
	if p.Architecture == "arm64" && p.Variant == "v8" {
		return ""
	}
	return p.Variant
}
