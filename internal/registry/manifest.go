package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxManifest is the size every registry must accept, and more than any image here
// needs, in bytes: OCI distribution-spec, "Pushing Manifests".
const maxManifest = 4 << 20

// manifestTypes are all kinds of manifest that are understood. All four must be
// asked for: Docker Hub answers with a converted manifest, and so with another
// digest, when the kind it has is not among them (opencontainers/distribution-spec#207).
var manifestTypes = strings.Join([]string{
	string(types.OCIImageIndex), string(types.DockerManifestList),
	string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
}, ", ")

// manifest is one manifest, read and proven to have its digest. Either index or
// image is set.
type manifest struct {
	digest string
	index  *v1.IndexManifest
	image  *v1.Manifest
}

// manifest reads what a tag or a digest points at. The digest is the hash of what
// came, and must be the one asked for and the one the registry names, if any. A HEAD
// before it would tell no more than that header does, and cost a request.
func (r *Registry) manifest(ctx context.Context, repo repository, identifier string) (*manifest, error) {
	got, err := r.get(ctx, repo, "manifests/"+identifier, nil, manifestTypes, maxManifest)
	if err != nil {
		return nil, err
	}
	digest := digestOf(got.body)
	for _, want := range []string{identifier, got.header.Get("Docker-Content-Digest")} {
		// Only SHA-256 can be compared; a registry may name another algorithm's digest.
		if strings.HasPrefix(want, "sha256:") && want != digest {
			return nil, fmt.Errorf("%s: the answer has the digest %s, not %s as it should: "+
				"it was changed or damaged on the way, by a proxy or in the registry", got.what, digest, quote(want))
		}
	}
	m, err := parseManifest(got.body, got.header.Get("Content-Type"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", got.what, err)
	}
	m.digest = digest
	return m, nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// parseManifest tells an index from an image. A document that could be read as both
// is refused: two readers could take it for different images (CVE-2021-41190).
func parseManifest(body []byte, contentType string) (*manifest, error) {
	var kind struct {
		MediaType     types.MediaType `json:"mediaType"`
		SchemaVersion int             `json:"schemaVersion"`
		Manifests     json.RawMessage `json:"manifests"`
		Config        json.RawMessage `json:"config"`
		Layers        json.RawMessage `json:"layers"`
	}
	if err := json.Unmarshal(body, &kind); err != nil {
		return nil, errors.New("the answer is not a manifest")
	}
	if kind.SchemaVersion == 1 {
		return nil, errors.New("the image has a manifest of schema 1, which names no digests: push it again with a current tool")
	}
	isIndex := kind.Manifests != nil
	if isIndex == (kind.Config != nil || kind.Layers != nil) {
		return nil, errors.New("the manifest is neither an index nor an image, or both at once")
	}
	named := kind.MediaType
	if named == "" {
		base, _, _ := strings.Cut(contentType, ";")
		named = types.MediaType(strings.TrimSpace(base))
	}
	switch {
	case isIndex && named.IsIndex():
		index, err := v1.ParseIndexManifest(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("reading the index: %w", err)
		}
		return &manifest{index: index}, nil
	case !isIndex && named.IsImage():
		image, err := v1.ParseManifest(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("reading the manifest: %w", err)
		}
		if !image.Config.MediaType.IsConfig() {
			return nil, fmt.Errorf("it is not a container image but holds %s", quote(string(image.Config.MediaType)))
		}
		return &manifest{image: image}, nil
	}
	return nil, fmt.Errorf("the answer is of the kind %s, which does not fit what is in it", quote(string(named)))
}
