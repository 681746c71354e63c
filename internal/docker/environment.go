package docker

import (
	"slices"
	"strings"
)

// variables is a container's environment as the engine keeps it: "NAME=value" in
// order. A bare "NAME" takes away the variable of the image.
type variables []string

// tidy keeps the last entry of every name, which is the one the engine uses, in
// the place of the first.
func (v variables) tidy() variables {
	var tidied variables
	for _, entry := range v {
		tidied = tidied.with(entry)
	}
	return tidied
}

// with sets one entry.
func (v variables) with(entry string) variables {
	if i := v.index(nameOf(entry)); i >= 0 {
		v = slices.Clone(v)
		v[i] = entry
		return v
	}
	return append(slices.Clip(v), entry)
}

// get returns the value of a variable; ok is false when it has none.
func (v variables) get(name string) (value string, ok bool) {
	i := v.index(name)
	if i < 0 {
		return "", false
	}
	_, value, ok = strings.Cut(v[i], "=")
	return value, ok
}

func (v variables) index(name string) int {
	return slices.IndexFunc(v, func(entry string) bool { return nameOf(entry) == name })
}

// names are the variables' names, sorted.
func (v variables) names() []string {
	names := make([]string, 0, len(v))
	for _, entry := range v {
		names = append(names, nameOf(entry))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func nameOf(entry string) string {
	name, _, _ := strings.Cut(entry, "=")
	return name
}
