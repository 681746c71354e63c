package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// creator is what Create needs of the engine's client.
type creator interface {
	ContainerCreate(context.Context, client.ContainerCreateOptions) (client.ContainerCreateResult, error)
	ContainerRemove(context.Context, string, client.ContainerRemoveOptions) (client.ContainerRemoveResult, error)
	CopyToContainer(context.Context, string, client.CopyToContainerOptions) (client.CopyToContainerResult, error)
	NetworkConnect(context.Context, string, client.NetworkConnectOptions) (client.NetworkConnectResult, error)
}

var _ creator = (*client.Client)(nil)

// Create makes a container from a recipe and an image that is on the engine
// already; it does not start it. The warnings are the engine's. After an error
// there is no such container, unless the error says so.
func Create(ctx context.Context, engine creator, r Recipe, image string) (id string, warnings []string, err error) {
	r = r.clone()
	r.Config.Image = image
	if r.Config.Labels == nil {
		r.Config.Labels = make(map[string]string)
	}
	r.Origin.record(r.Config.Labels)
	primary, endpoint := primaryEndpoint(r.HostConfig.NetworkMode, r.Networks)
	if r.HostConfig.ReadonlyRootfs {
		makeRoom(&r)
	}
	options := client.ContainerCreateOptions{Name: r.Name, Config: r.Config, HostConfig: r.HostConfig}
	if endpoint != nil {
		endpoint.MacAddress = r.MAC
		options.NetworkingConfig = &network.NetworkingConfig{
			EndpointsConfig: map[string]*network.EndpointSettings{primary: endpoint},
		}
	}
	made, err := engine.ContainerCreate(ctx, options)
	if err != nil {
		return "", nil, &failure{doing: "creating container " + r.Name, cause: err}
	}
	if err := furnish(ctx, engine, made.ID, r, primary); err != nil {
		return "", nil, discard(ctx, engine, made.ID, err)
	}
	return made.ID, made.Warnings, nil
}

// makeRoom adds a volume for the files: the engine puts nothing into a container
// whose root file system is read-only, except into its volumes.
func makeRoom(r *Recipe) {
	for _, f := range r.Files {
		dir := path.Dir(f.Path)
		if !slices.ContainsFunc(r.HostConfig.Mounts, func(m mount.Mount) bool { return m.Target == dir }) {
			r.HostConfig.Mounts = append(r.HostConfig.Mounts, mount.Mount{Type: mount.TypeVolume, Target: dir})
		}
	}
}

// furnish does what cannot be part of the request that creates a container. Up to
// API 1.43 that request takes one network, and later engines still take the
// others this way; as the container does not run yet, it makes no difference.
func furnish(ctx context.Context, engine creator, id string, r Recipe, primary string) error {
	for _, name := range slices.Sorted(maps.Keys(r.Networks)) {
		if name == primary {
			continue
		}
		if _, err := engine.NetworkConnect(ctx, name, client.NetworkConnectOptions{Container: id, EndpointConfig: r.Networks[name]}); err != nil {
			return &failure{doing: "connecting container " + r.Name + " to network " + name, cause: err}
		}
	}
	for _, f := range r.Files {
		if err := put(ctx, engine, id, f, r.HostConfig.ReadonlyRootfs); err != nil {
			return &failure{doing: "putting " + f.Path + " into container " + r.Name, cause: err}
		}
	}
	return nil
}

// put writes a file into a container that was not started yet.
func put(ctx context.Context, engine creator, id string, f Deposit, inVolume bool) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	into, dir := "/", path.Dir(f.Path)
	if inVolume {
		into = dir // a path outside of the volume is refused as read-only
	} else if err := w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755,
	}); err != nil {
		return err
	}
	name := strings.TrimPrefix(strings.TrimPrefix(f.Path, into), "/")
	if err := w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: f.Mode, Uid: f.UID, Gid: f.GID, Size: int64(len(f.Data)),
	}); err != nil {
		return err
	}
	if _, err := w.Write(f.Data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err := engine.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: into, Content: &archive, CopyUIDGID: f.UID != 0 || f.GID != 0})
	return err
}

// discardTime bounds the removal of a container that could not be finished. It is
// not taken from the job's own time, which may be over.
const discardTime = 30 * time.Second

// discard removes a container that could not be finished. Its volumes stay: some
// of them are another container's.
func discard(ctx context.Context, engine creator, id string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	if _, err := engine.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true}); err != nil {
		return fmt.Errorf("%w; the unfinished container is still there (%w): docker rm %s", cause, err, id)
	}
	return cause
}
