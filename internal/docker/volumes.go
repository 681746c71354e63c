package docker

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// attachVolumes names the container's anonymous volumes in its recipe, so that a
// new container gets the same volumes, with their data, and not fresh ones. As
// docker compose does it. An anonymous volume is one of
//
//	docker run -v /data          Config.Volumes, together with those of the image
//	docker run --mount dst=/data HostConfig.Mounts without a source
//	"/data" in HostConfig.Binds  through the API
//
// and only the list of mount points has the name the engine gave it.
func attachVolumes(r *Recipe, points []container.MountPoint) {
	host := r.HostConfig
	host.Mounts = slices.DeleteFunc(host.Mounts, func(m mount.Mount) bool { return path.Clean(m.Target) == bundleDir && m.Source == "" })

	points = slices.DeleteFunc(slices.Clone(points), func(p container.MountPoint) bool {
		return p.Type != mount.TypeVolume || p.Name == "" || path.Clean(p.Destination) == bundleDir
	})
	slices.SortFunc(points, func(a, b container.MountPoint) int { return cmp.Compare(a.Destination, b.Destination) })
	for _, p := range points {
		if !attach(host, p) && !inherited(r, p) {
			host.Mounts = append(host.Mounts, mount.Mount{
				Type: mount.TypeVolume, Source: p.Name, Target: p.Destination, ReadOnly: !p.RW,
			})
		}
	}
}

// attach fills in the volume's name where the container asks for a volume at this
// place; it reports whether it does.
func attach(host *container.HostConfig, p container.MountPoint) bool {
	for i, bind := range host.Binds {
		source, target := bindEnds(bind)
		if path.Clean(target) != path.Clean(p.Destination) {
			continue
		}
		if source == "" {
			host.Binds[i] = p.Name + ":" + bind
		}
		return true
	}
	for i, m := range host.Mounts {
		if path.Clean(m.Target) != path.Clean(p.Destination) {
			continue
		}
		if m.Type == mount.TypeVolume && m.Source == "" {
			host.Mounts[i].Source = p.Name
		}
		return true
	}
	return false
}

// inherited reports whether a volume comes with --volumes-from. One that the
// container asks for itself does not.
func inherited(r *Recipe, p container.MountPoint) bool {
	_, own := r.Config.Volumes[p.Destination]
	return !own && len(r.HostConfig.VolumesFrom) > 0
}

// bindEnds reads "source:target[:options]"; source is empty in "target" alone.
func bindEnds(bind string) (source, target string) {
	parts := strings.SplitN(bind, ":", 3)
	if len(parts) == 1 {
		return "", parts[0]
	}
	return parts[0], parts[1]
}
