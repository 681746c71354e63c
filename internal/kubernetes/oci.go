package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Masterminds/semver/v3"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	helmregistry "helm.sh/helm/v4/pkg/registry"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

const (
	ociScheme      = helmregistry.OCIScheme + "://"
	maxDescription = 1 << 20 // bytes, of a manifest or a page of tags
	maxTagPages    = 100
	maxTags        = 20_000
)

// fromRegistry downloads a chart from a container registry, where Helm keeps them as
// artifacts: a manifest with one layer, the archive. Source:
// helm.sh/docs/topics/registries, "Helm chart manifest".
//
// It is the protocol of Helm's own client on the library below it: that client takes
// no context and no bounds, and reads the credentials of whoever runs the process.
func (s ChartSource) fromRegistry(ctx context.Context, version string) (*chartv2.Chart, chartOrigin, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(s.Repository, ociScheme), "/") + "/" + s.Name
	at := ociScheme + clean(name, 200)
	origin := chartOrigin{From: at}

	repo, err := s.repository(name)
	if err != nil {
		return nil, origin, err
	}
	if origin.Version, err = pick(ctx, repo, version); err != nil {
		return nil, origin, fmt.Errorf("choosing chart %s: %w", at, explainRegistry(err))
	}
	data, digest, err := pull(ctx, repo, tagOf(origin.Version))
	if err != nil {
		return nil, origin, fmt.Errorf("downloading chart %s %s: %w", at, clean(origin.Version, 100), explainRegistry(err))
	}
	origin.Digest = digest
	c, err := unpackChart(data)
	if err != nil {
		return nil, origin, fmt.Errorf("unpacking chart %s %s: %w", at, clean(origin.Version, 100), err)
	}
	return c, origin, nil
}

// repository is the place of the chart, asked with the credentials for its registry:
// those of the settings, else those of the Docker configuration. Registries on this
// machine are spoken to without TLS, as Docker does.
func (s ChartSource) repository(name string) (*remote.Repository, error) {
	if strings.Contains(name, "@") {
		return nil, errors.New("the chart repository's address has an @ in it: give credentials in the settings that are made for them, and the version in its own")
	}
	repo, err := remote.NewRepository(name)
	if err != nil || repo.Reference.Reference != "" {
		return nil, fmt.Errorf("%s%s is not the address of a chart, such as oci://registry.example.com/charts", ociScheme, clean(name, 200))
	}
	host := repo.Reference.Host()
	known := auth.StaticCredential(host, auth.Credential{Username: s.User, Password: s.Password.Reveal()})
	if s.User == "" && s.Password == "" {
		if known, err = fromDocker(s.Docker); err != nil {
			return nil, err
		}
	}
	hostname, _, _ := strings.Cut(host, ":")
	repo.PlainHTTP = loopback(hostname)
	repo.TagListMaxPages, repo.MaxMetadataBytes = maxTagPages, maxDescription
	repo.Client = &auth.Client{
		Client:     &http.Client{Transport: s.Transport},
		Credential: known,
		Cache:      auth.NewCache(),
	}
	return repo, nil
}

// fromDocker are the credentials of a Docker configuration. Helpers that it names are
// not run. Its text is made of secrets and never quoted.
func fromDocker(config []byte) (auth.CredentialFunc, error) {
	if len(config) == 0 {
		return nil, nil
	}
	store, err := credentials.NewMemoryStoreFromDockerConfig(config)
	if err != nil {
		return nil, errors.New(`the Docker configuration with the credentials for the chart cannot be read: it is to be JSON such as {"auths": {"registry.example.com": {"auth": "..."}}}`)
	}
	return credentials.Credential(store), nil
}

// pick decides which version to download. An exact one need not be listed, so that a
// registry that does not list will do.
func pick(ctx context.Context, repo *remote.Repository, wanted string) (string, error) {
	if _, err := semver.StrictNewVersion(wanted); err == nil {
		return wanted, nil
	}
	var versions []string
	err := repo.Tags(ctx, "", func(tags []string) error {
		for _, tag := range tags {
			if v := versionOf(tag); v != "" {
				versions = append(versions, v)
			}
		}
		if len(versions) > maxTags {
			return fmt.Errorf("more than %d versions are listed: set the chart's version", maxTags)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return choose(versions, wanted)
}

// A tag cannot hold the plus sign of a version, so Helm writes an underscore. Source:
// helm.sh/docs/topics/registries, "Deprecated features and strict naming policies".
func tagOf(version string) string { return strings.ReplaceAll(version, "+", "_") }

// versionOf is the version that a tag stands for, or "".
func versionOf(tag string) string {
	version := strings.ReplaceAll(tag, "_", "+")
	if _, err := semver.StrictNewVersion(version); err != nil {
		return ""
	}
	return version
}

// pull returns the archive, and the digest of the manifest that lists it.
func pull(ctx context.Context, repo *remote.Repository, tag string) (data []byte, digest string, err error) {
	described, body, err := repo.Manifests().FetchReference(ctx, tag)
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	if described.Size > maxDescription {
		return nil, "", fmt.Errorf("its manifest is larger than %d KiB", maxDescription>>10)
	}
	text, err := content.ReadAll(body, described)
	if err != nil {
		return nil, "", err
	}
	layer, err := chartLayer(text)
	if err != nil {
		return nil, "", err
	}
	blob, err := repo.Blobs().Fetch(ctx, layer)
	if err != nil {
		return nil, "", err
	}
	defer blob.Close()
	data, err = content.ReadAll(io.LimitReader(blob, layer.Size+1), layer)
	return data, described.Digest.String(), err
}

// chartLayer finds the archive in a manifest.
func chartLayer(text []byte) (ocispec.Descriptor, error) {
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return ocispec.Descriptor{}, errors.New("its manifest cannot be read")
	}
	if manifest.Config.MediaType != helmregistry.ConfigMediaType {
		return ocispec.Descriptor{}, fmt.Errorf("it is not a chart but %s", clean(manifest.Config.MediaType, 100))
	}
	for _, layer := range manifest.Layers {
		switch {
		case layer.MediaType != helmregistry.ChartLayerMediaType && layer.MediaType != helmregistry.LegacyChartLayerMediaType:
			continue
		case layer.Digest.Validate() != nil:
			return layer, errors.New("the digest of its archive is not a digest")
		case layer.Size < 0 || layer.Size > maxArchive:
			return layer, fmt.Errorf("its archive is larger than %d MiB", maxArchive>>20)
		}
		return layer, nil
	}
	return ocispec.Descriptor{}, errors.New("its manifest lists no archive")
}

// explainRegistry says what the user can do about a registry's answer.
func explainRegistry(err error) error {
	var answer *errcode.ErrorResponse
	switch {
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return errors.New("the registry asks for credentials and there are none for it: check the credentials for the chart")
	case errors.Is(err, errdef.ErrNotFound):
		return errors.New("there is no such chart or version, or it is hidden from these credentials")
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("the registry answered %d %s: check the credentials for the chart", answer.StatusCode, http.StatusText(answer.StatusCode))
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return errors.New("there is no such chart, or it is hidden from these credentials")
	case answer != nil:
		return errors.New(clean(answer.Error(), 300)) // it quotes the registry
	}
	return err
}
