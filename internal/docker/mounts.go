package docker

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/moby/moby/api/types/mount"
)

// ParseMounts reads the mounts of a first install, each like
//
//	source:target[:ro]
//
// The source is an absolute path on the engine's host, which must exist, or the
// name of a volume; the target is an absolute path in the container. All mistakes
// are reported at once.
func ParseMounts(specs []string) ([]mount.Mount, error) {
	var mounts []mount.Mount
	var mistakes []error
	seen := make(map[string]bool)
	for _, spec := range specs {
		m, err := parseMount(spec)
		if err == nil && seen[m.Target] {
			err = errors.New("another mount has the same target")
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("mount %q: %w; write it like /etc/gateway:/config:ro", clean(spec, 200), err))
			continue
		}
		seen[m.Target] = true
		mounts = append(mounts, m)
	}
	return mounts, errors.Join(mistakes...)
}

// longestPath is PATH_MAX on Linux.
const longestPath = 4096

func parseMount(spec string) (mount.Mount, error) {
	if len(spec) > 2*longestPath || strings.ContainsRune(spec, 0) {
		return mount.Mount{}, errors.New("this cannot be two paths")
	}
	parts := strings.Split(spec, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return mount.Mount{}, errors.New("it has not two or three parts")
	}
	m := mount.Mount{Type: mount.TypeBind, Source: parts[0], Target: path.Clean(parts[1])}
	if len(parts) == 3 {
		if parts[2] != "ro" && parts[2] != "rw" {
			return mount.Mount{}, errors.New("the third part is neither ro nor rw")
		}
		m.ReadOnly = parts[2] == "ro"
	}
	if !path.IsAbs(parts[1]) || m.Target == "/" {
		return mount.Mount{}, errors.New("the target is no absolute path below /")
	}
	if path.IsAbs(m.Source) {
		m.Source = path.Clean(m.Source)
		return m, nil
	}
	if !namePattern.MatchString(m.Source) {
		return mount.Mount{}, errors.New("the source is neither an absolute path nor the name of a volume")
	}
	m.Type = mount.TypeVolume
	return m, nil
}
