package component

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// address is that of a component of ours in an include: the instance, some project,
// the component, a version.
var address = regexp.MustCompile(`^\$CI_SERVER_FQDN/[\w./-]+/aigw-ci/([\w-]+)@([\w.-]+)$`)

// pipeline is a configuration with all its includes, as GitLab merges them, except
// that two files with a key in common are an error here: one would change the
// other's job. Components are read from templates/, whatever version is asked for.
func pipeline(config map[string]any) (map[string]any, error) {
	all := make(map[string]any)
	includes, _ := config["include"].([]any)
	for _, node := range includes {
		include, ok := node.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("include: %v is no hash", node)
		}
		path, err := included(include)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		d, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		inputs, _ := include["inputs"].(map[string]any)
		body, err := d.expand(inputs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if body, err = pipeline(body); err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(body)) {
			if _, twice := all[key]; twice {
				return nil, fmt.Errorf("%s: %q is there already", path, key)
			}
			all[key] = body[key]
		}
	}
	for key, value := range config {
		if key != "include" {
			all[key] = merge(all[key], value)
		}
	}
	return all, nil
}

func included(include map[string]any) (path string, err error) {
	if err := only(include, "component", "inputs", "local"); err != nil {
		return "", fmt.Errorf("include: %w", err)
	}
	if local, ok := include["local"].(string); ok {
		return strings.TrimPrefix(local, "/"), nil
	}
	component, _ := include["component"].(string)
	match := address.FindStringSubmatch(component)
	if match == nil {
		return "", fmt.Errorf("include: %v is not an address of a component", include)
	}
	return templatePath(match[1]), nil
}

// merge is GitLab's deep merge: hashes key by key, anything else is replaced.
func merge(below, above any) any {
	b, ok1 := below.(map[string]any)
	a, ok2 := above.(map[string]any)
	if !ok1 || !ok2 {
		return above
	}
	merged := maps.Clone(b)
	for key, value := range a {
		merged[key] = merge(merged[key], value)
	}
	return merged
}
