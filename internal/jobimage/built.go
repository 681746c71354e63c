package jobimage

import (
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Built is an image that was built: an index, and an image per platform.
type Built struct {
	index  v1.ImageIndex
	images []v1.Image // in the order of Platforms; of one that was read, none
}

// Digest is the index's digest, "sha256:...": the image's identity.
func (b *Built) Digest() (string, error) {
	digest, err := b.index.Digest()
	if err != nil {
		return "", fmt.Errorf("computing the digest: %w", err)
	}
	return digest.String(), nil
}

// WriteLayout writes the image into a directory, which is made anew, as an OCI
// image layout: what crane, skopeo and regctl copy to any registry.
func (b *Built) WriteLayout(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("writing the image: %w", err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendIndex(b.index)
	}
	if err != nil {
		return fmt.Errorf("writing the image to %s: %w", dir, err)
	}
	return nil
}

// ReadLayout reads back what WriteLayout wrote.
func ReadLayout(dir string) (*Built, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the image: %w; make it with \"make image\"", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading the image in %s: %w", dir, err)
	}
	if n := len(manifest.Manifests); n != 1 || manifest.Manifests[0].MediaType != types.OCIImageIndex {
		return nil, fmt.Errorf("reading the image in %s: it holds %d entries instead of one index", dir, n)
	}
	inner, err := index.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		return nil, fmt.Errorf("reading the image in %s: %w", dir, err)
	}
	return &Built{index: inner}, nil
}

// WriteArchive writes the image of one platform in the form that "docker load"
// takes. An engine then knows it by another digest: that of its configuration.
func (b *Built) WriteArchive(w io.Writer, reference string, p Platform) error {
	tag, err := name.NewTag(reference)
	if err != nil {
		return fmt.Errorf("writing an archive: %w", err)
	}
	for i, image := range b.images {
		if Platforms()[i] == p {
			return tarball.Write(tag, image, w)
		}
	}
	return fmt.Errorf("writing an archive: there is no image for %s", p)
}
