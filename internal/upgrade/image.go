package upgrade

import (
	"slices"
	"strings"

	"aigw-ci/internal/version"
)

// Image is a gateway image as its registry describes it. It is known in full
// before anything is pulled or touched.
type Image struct {
	Repository string // "registry.gitlab.com/group/model-gateway"
	Tag        string // "self-hosted-v18.2.8-ee"; empty when pinned by digest alone

	// One image has three names that a runtime may report as "the digest":
	// the index (or the manifest, when there is no index), the manifest of one
	// platform, and the configuration (Docker's classic image ID). Sources:
	// kubernetes/kubernetes#115199, the OCI image specification. All are
	// "sha256:<hex>".
	Digest         string // what the tag points at, and what is deployed
	PlatformDigest string // equals Digest when the tag names a single manifest
	ConfigDigest   string

	Platform string // "linux/amd64"
	Reason   string // why this image, for the report
}

// Reference is the image by digest, as it is deployed: "repository:tag@sha256:...".
func (i Image) Reference() string {
	if i.Tag == "" {
		return i.Repository + "@" + i.Digest
	}
	return i.Repository + ":" + i.Tag + "@" + i.Digest
}

// Pull is the image by digest alone, "repository@sha256:...": what an engine is
// asked for, so that no re-pushed tag can come between choosing and running.
func (i Image) Pull() string { return i.Repository + "@" + i.Digest }

// Is reports whether one of digests names this image.
func (i Image) Is(digests []string) bool {
	return slices.ContainsFunc([]string{i.Digest, i.PlatformDigest, i.ConfigDigest}, func(d string) bool {
		return d != "" && slices.Contains(digests, d)
	})
}

// image is the image an instance runs, as far as its reference tells: enough to
// recognise it, and to know the line it was built for.
func (i *Instance) image() Image {
	reference, digest, _ := strings.Cut(i.Image, "@")
	image := Image{Repository: reference, Digest: digest}
	if digest == "" && len(i.Digests) > 0 {
		image.Digest = i.Digests[0] // a reference without one: the target knows it all the same
	}
	if colon := strings.LastIndexByte(reference, ':'); colon > strings.LastIndexByte(reference, '/') {
		image.Repository, image.Tag = reference[:colon], reference[colon+1:]
	}
	return image
}

// Line is the minor release the image was built for; ok is false when the tag
// is not a stable gateway tag.
func (i Image) Line() (line version.Line, ok bool) {
	tag, err := version.ParseTag(i.Tag)
	return tag.Line(), err == nil
}
