package docker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/network"
)

// Values that stand for having none.
const (
	valueEmpty   = "(empty)"   // NAME=
	valueRemoved = "(removed)" // a bare NAME: the image's variable is taken away
)

// fields are a recipe's settings by the name under which "docker inspect" shows
// them, those that are not set left out; image and environment under the names
// they have in this program's settings. The recipe's own name is not one: the old
// container has given it up by the time it is compared.
func (r Recipe) fields() map[string]string {
	fields := make(map[string]string)
	if r.Config != nil {
		config := copied(r.Config)
		set(fields, "image", config.Image)
		for _, entry := range config.Env {
			name, value, ok := strings.Cut(entry, "=")
			if !ok {
				value = valueRemoved
			}
			fields["environment."+name] = cmp.Or(value, valueEmpty)
		}
		config.Image, config.Env, config.Labels = "", nil, foreignLabels(config.Labels)
		config.ArgsEscaped = false // for Windows; the engine copies it from the image with the command
		flatten(fields, "Config", tree(config))
	}
	if r.HostConfig != nil {
		flatten(fields, "HostConfig", tree(r.HostConfig))
		// Engines spell these in two ways: before Docker 25 a restart policy may be
		// empty, and the default network is called so or by its name.
		if mode := r.HostConfig.NetworkMode; mode == "" || mode.IsDefault() {
			fields["HostConfig.NetworkMode"] = network.NetworkBridge
		}
		if r.HostConfig.RestartPolicy.IsNone() {
			delete(fields, "HostConfig.RestartPolicy.Name")
		}
		// An empty list is not the same as none: it unmasks everything.
		for name, paths := range map[string][]string{"MaskedPaths": r.HostConfig.MaskedPaths, "ReadonlyPaths": r.HostConfig.ReadonlyPaths} {
			if paths != nil && len(paths) == 0 {
				fields["HostConfig."+name] = "[]"
			}
		}
	}
	for name, endpoint := range r.Networks {
		fields["Networks."+name] = "connected"
		flatten(fields, "Networks."+name, tree(endpoint))
	}
	set(fields, "Config.MacAddress", r.MAC.String())
	set(fields, "ca_bundle", r.Origin.CABundle)
	return fields
}

func set(fields map[string]string, field, value string) {
	if value != "" {
		fields[field] = value
	}
}

// tree is v as decoded JSON.
func tree(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("comparing %T: %v", v, err))
	}
	var t any
	if err := json.Unmarshal(data, &t); err != nil {
		panic(fmt.Sprintf("comparing %T: %v", v, err))
	}
	return t
}

// flatten adds the values below path that say something. Lists are one value.
func flatten(fields map[string]string, path string, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		if !empty(value) {
			fields[path] = text(value)
		}
		return
	}
	for key, inner := range object {
		if keyed(path) {
			fields[path+"."+key] = cmp.Or(text(inner), valueEmpty)
			continue
		}
		flatten(fields, path+"."+key, inner)
	}
}

// keyed are objects whose keys are the user's: there a key says something also
// when its value does not.
func keyed(path string) bool {
	return slices.Contains([]string{
		"Config.Labels", "Config.Volumes", "Config.ExposedPorts",
		"HostConfig.PortBindings", "HostConfig.Tmpfs", "HostConfig.Sysctls", "HostConfig.StorageOpt", "HostConfig.Annotations", "HostConfig.LogConfig.Config",
	}, path)
}

func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	data, _ := json.Marshal(value) // it came from JSON
	return string(data)
}
