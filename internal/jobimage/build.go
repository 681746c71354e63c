package jobimage

import (
	"context"
	"fmt"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The main packages that are in the image.
const (
	programPackage = "./cmd/aigw-ci"
	shellPackage   = "./cmd/aigw-sh"
)

// Compiler makes a program: [Sources.Compile].
type Compiler func(ctx context.Context, pkg string, p Platform) ([]byte, error)

// Build makes the image of every platform, and the index over them. Nothing is
// written or sent.
func Build(ctx context.Context, version string, compile Compiler) (*Built, error) {
	b := &Built{index: mutate.IndexMediaType(empty.Index, types.OCIImageIndex)}
	for _, p := range Platforms() {
		shell, err := compile(ctx, shellPackage, p)
		if err != nil {
			return nil, err
		}
		aigwCI, err := compile(ctx, programPackage, p)
		if err != nil {
			return nil, err
		}
		image, err := assemble(version, p, system(shell), program(aigwCI))
		if err != nil {
			return nil, fmt.Errorf("building the image for %s: %w", p, err)
		}
		b.images = append(b.images, image)
		b.index = mutate.AppendManifests(b.index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Architecture}},
		})
	}
	return b, nil
}

// assemble puts layers into an image. There is no entrypoint: GitLab Runner puts
// its own shell command where the image's would be. Source:
// docs.gitlab.com/runner/executors/docker, "Overwrite the entrypoint".
func assemble(version string, p Platform, layers ...[]entry) (v1.Image, error) {
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{
		OS:           p.OS,
		Architecture: p.Architecture,
		Created:      v1.Time{Time: Epoch},
		RootFS:       v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       strconv.Itoa(User) + ":" + strconv.Itoa(User),
			Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
			Cmd:        []string{"aigw-ci", "--help"},
			WorkingDir: "/" + home,
			// Source: OCI image-spec, annotations.md. The revision is left out on purpose:
			// see the package's comment.
			Labels: map[string]string{
				"org.opencontainers.image.title":    "aigw-ci",
				"org.opencontainers.image.source":   Source,
				"org.opencontainers.image.version":  version,
				"org.opencontainers.image.licenses": "MIT",
			},
		},
	})
	if err != nil {
		return nil, err
	}
	for _, entries := range layers {
		l, err := layer(entries)
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{
			Layer:     l,
			MediaType: types.OCILayer,
			History:   v1.History{Created: v1.Time{Time: Epoch}, CreatedBy: "aigw-image"},
		})
		if err != nil {
			return nil, err
		}
	}
	return image, nil
}
