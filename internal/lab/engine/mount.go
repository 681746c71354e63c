package engine

import (
	"cmp"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// mounted is a mount of a container. A program finds it at its destination under
// LAB_ROOT, where a symbolic link leads to the source.
type mounted struct {
	container.MountPoint
	anonymous bool
}

// mount works out a container's mounts and creates the volumes they need. For
// one destination, Mounts go before Binds, those before VolumesFrom, and the
// volumes of the image come last. e.mu is held.
func (e *Engine) mount(c *instance) error {
	byDestination := map[string]mounted{}
	add := func(m mounted, err error) error {
		if err != nil {
			return err
		}
		if !path.IsAbs(m.Destination) || path.Clean(m.Destination) == "/" {
			return refuse(http.StatusBadRequest, "invalid mount config for type %q: invalid mount path: '%s' mount path must be absolute", m.Type, m.Destination)
		}
		m.Destination = path.Clean(m.Destination)
		if _, ok := byDestination[m.Destination]; !ok {
			byDestination[m.Destination] = m
		}
		return nil
	}
	for _, m := range c.host.Mounts {
		if m.Type == mount.TypeTmpfs {
			continue // inspect shows it in HostConfig only
		}
		if err := add(e.fromMount(m)); err != nil {
			return err
		}
	}
	for _, b := range c.host.Binds {
		if err := add(e.fromBind(b)); err != nil {
			return err
		}
	}
	for _, from := range c.host.VolumesFrom {
		ref, mode, _ := strings.Cut(from, ":")
		other, err := e.find(ref)
		if err != nil {
			return err
		}
		for _, m := range other.mounts {
			m.anonymous, m.RW = false, m.RW && mode != "ro"
			if err := add(m, nil); err != nil {
				return err
			}
		}
	}
	for _, dest := range slices.Sorted(maps.Keys(c.config.Volumes)) {
		if _, ok := byDestination[path.Clean(dest)]; ok {
			continue
		}
		if err := add(e.fromVolume("", dest, "")); err != nil {
			return err
		}
	}
	c.mounts = slices.SortedFunc(maps.Values(byDestination), func(a, b mounted) int { return cmp.Compare(a.Destination, b.Destination) })
	return linkMounts(c)
}

// fromBind reads "source:destination[:options]" or a bare destination.
func (e *Engine) fromBind(spec string) (mounted, error) {
	parts := strings.Split(spec, ":")
	switch {
	case len(parts) == 1:
		return e.fromVolume("", parts[0], "")
	case len(parts) > 3 || parts[0] == "" || parts[1] == "":
		return mounted{}, refuse(http.StatusBadRequest, "invalid volume specification: '%s'", spec)
	}
	mode := ""
	if len(parts) == 3 {
		mode = parts[2]
	}
	if path.IsAbs(parts[0]) {
		return bind(parts[0], parts[1], mode, !slices.Contains(strings.Split(mode, ","), "ro")), nil
	}
	if mode == "" {
		mode = "z" // what Docker shows for a named volume
	}
	return e.fromVolume(parts[0], parts[1], mode)
}

func (e *Engine) fromMount(m mount.Mount) (mounted, error) {
	switch m.Type {
	case mount.TypeBind:
		if _, err := os.Stat(m.Source); err != nil {
			return mounted{}, refuse(http.StatusBadRequest, `invalid mount config for type "bind": bind source path does not exist: %s`, m.Source)
		}
		return bind(m.Source, m.Target, "", !m.ReadOnly), nil
	case mount.TypeVolume:
		out, err := e.fromVolume(m.Source, m.Target, "z")
		out.RW = !m.ReadOnly
		return out, err
	}
	return mounted{}, refuse(http.StatusNotImplemented, "mounts of type %q are not offered by the stand-in engine", m.Type)
}

func bind(source, dest, mode string, rw bool) mounted {
	return mounted{MountPoint: container.MountPoint{
		Type: mount.TypeBind, Source: source, Destination: dest, Mode: mode, RW: rw, Propagation: mount.PropagationRPrivate,
	}}
}

// fromVolume mounts a volume, making it when it is not there; without a name it
// is an anonymous one.
func (e *Engine) fromVolume(name, dest, mode string) (mounted, error) {
	m := mounted{anonymous: name == ""}
	if m.anonymous {
		name = e.newID()
	}
	v, err := e.addVolume(name, nil, nil)
	if err != nil {
		return mounted{}, err
	}
	m.MountPoint = container.MountPoint{
		Type: mount.TypeVolume, Name: v.Name, Source: v.Mountpoint, Destination: dest, Driver: v.Driver,
		Mode: mode, RW: !slices.Contains(strings.Split(mode, ","), "ro"),
	}
	return m, nil
}

// linkMounts lets the program find its mounts under LAB_ROOT.
func linkMounts(c *instance) error {
	root, err := os.OpenRoot(c.rootDir())
	if err != nil {
		return err
	}
	defer root.Close()
	for _, m := range c.mounts {
		if withinMount(c, m.Destination) {
			continue // inside another mount, which is not ours to change
		}
		at, err := inside(root, m.Destination)
		if err != nil {
			return err
		}
		if err := root.RemoveAll(at); err != nil {
			return err
		}
		if err := root.MkdirAll(path.Dir(at), 0o755); err != nil {
			return err
		}
		if err := root.Symlink(m.Source, at); err != nil {
			return err
		}
	}
	return nil
}

// withinMount says whether a path lies inside a mount.
func withinMount(c *instance, p string) bool {
	return slices.ContainsFunc(c.mounts, func(m mounted) bool {
		return strings.HasPrefix(p, m.Destination+"/")
	})
}
