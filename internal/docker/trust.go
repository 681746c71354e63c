package docker

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"

	"github.com/moby/moby/client"
)

var _ interface {
	Authorities(context.Context) (map[string][]byte, error) // as internal/verify asks for them
	GitLabURL(context.Context) (string, error)
} = (*handle)(nil)

// GitLabURL is the gateway's AIGW_GITLAB_URL; empty when it is not set.
func (h *handle) GitLabURL(ctx context.Context) (string, error) {
	found, err := h.engine.api.ContainerInspect(ctx, h.id, client.ContainerInspectOptions{})
	if err != nil || found.Container.Config == nil {
		return "", h.engine.explain("reading the settings of "+h.name, err)
	}
	address, _ := variables(found.Container.Config.Env).get("AIGW_GITLAB_URL")
	return address, nil
}

// Authorities are the CA bundles that the gateway was told to trust, by the variable
// that names each; nil data is a file that is not in the container. Without any, the
// gateway trusts what its image does. The gate asks for them, to look at GitLab's
// certificate as the gateway would.
func (h *handle) Authorities(ctx context.Context) (map[string][]byte, error) {
	found, err := h.engine.api.ContainerInspect(ctx, h.id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, h.engine.explain("reading the settings of "+h.name, err)
	}
	bundles := make(map[string][]byte)
	if found.Container.Config == nil {
		return bundles, nil
	}
	for _, name := range bundleVariables {
		file, _ := variables(found.Container.Config.Env).get(name)
		if file == "" {
			continue
		}
		at := file
		if !path.IsAbs(at) {
			at = path.Join("/", found.Container.Config.WorkingDir, at)
		}
		if bundles[name], err = bundleIn(ctx, h.engine.api, h.id, at); err != nil {
			return nil, h.engine.explain("reading "+clean(file, 200)+" in "+h.name, err)
		}
	}
	return bundles, nil
}

// maxLinks is how many links are followed to a file. Distributions need two.
const maxLinks = 5

// bundleIn reads a file of a container, which need not run; nil when there is none.
func bundleIn(ctx context.Context, engine reader, id, file string) ([]byte, error) {
	for range maxLinks {
		data, link, err := one(ctx, engine, id, file)
		if isNotFound(err) {
			return nil, nil
		}
		if err != nil || link == "" {
			return data, err
		}
		if !path.IsAbs(link) {
			link = path.Join(path.Dir(file), link)
		}
		file = path.Clean(link)
	}
	return nil, fmt.Errorf("more than %d links", maxLinks)
}

// one reads a file, or where it links to.
func one(ctx context.Context, engine reader, id, file string) (data []byte, link string, err error) {
	answer, err := engine.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: file})
	if err != nil {
		return nil, "", err
	}
	defer answer.Content.Close()
	archive := tar.NewReader(answer.Content)
	header, err := archive.Next()
	switch {
	case err != nil:
		return nil, "", err
	case header.Typeflag == tar.TypeSymlink:
		return nil, header.Linkname, nil
	case header.Typeflag != tar.TypeReg || header.Size > maxBundle:
		return []byte{}, "", nil // no bundle
	}
	data, err = io.ReadAll(io.LimitReader(archive, maxBundle))
	if data == nil {
		data = []byte{}
	}
	return data, "", err
}
