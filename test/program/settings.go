package program

import (
	"maps"
	"slices"
	"strings"
)

// With is a copy of settings with some more, "NAME=value".
func With(settings map[string]string, more ...string) map[string]string {
	all := maps.Clone(settings)
	for _, s := range more {
		name, value, _ := strings.Cut(s, "=")
		all[name] = value
	}
	return all
}

// Environment is settings as a program gets them, "NAME=value", in order.
func Environment(settings map[string]string) []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		env = append(env, name+"="+settings[name])
	}
	return env
}
