package chart

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"aigw-ci/internal/lab/registry"
)

// Media types of a chart in a registry. Source: helm.sh/docs/topics/registries,
// "Helm chart manifest".
const (
	configType  = "application/vnd.cncf.helm.config.v1+json"
	contentType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// Push puts the chart into a registry as "helm push" does, under a tag that is its
// version. repository ends with the chart's name, as Helm wants it: "charts/ai-gateway".
func Push(to *registry.Server, repository string, o Options) error {
	archive, err := Archive(o)
	if err != nil {
		return err
	}
	config, err := json.Marshal(o.fields())
	if err != nil {
		return err
	}
	a := artifact{config: config, content: static.NewLayer(archive, contentType)}
	a.manifest, err = json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: describe(configType, config), Layers: []v1.Descriptor{describe(contentType, archive)},
	})
	if err != nil {
		return err
	}
	image, err := partial.CompressedToImage(a)
	if err != nil {
		return fmt.Errorf("pushing chart %s: %w", o.Version, err)
	}
	return to.Push(repository, o.Version, image)
}

func describe(kind types.MediaType, data []byte) v1.Descriptor {
	sum := sha256.Sum256(data)
	return v1.Descriptor{MediaType: kind, Size: int64(len(data)), Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}}
}

// artifact is a chart in the form of an image of one layer, which it is not.
type artifact struct {
	manifest, config []byte
	content          v1.Layer
}

var _ partial.CompressedImageCore = artifact{}

func (a artifact) RawConfigFile() ([]byte, error)                         { return bytes.Clone(a.config), nil }
func (a artifact) RawManifest() ([]byte, error)                           { return bytes.Clone(a.manifest), nil }
func (a artifact) MediaType() (types.MediaType, error)                    { return types.OCIManifestSchema1, nil }
func (a artifact) LayerByDigest(v1.Hash) (partial.CompressedLayer, error) { return a.content, nil }
