package docker

import (
	"maps"
	"slices"
	"strings"
)

// Differences are what distinguishes the container that planned will make from the
// image of the given reference and configuration from an existing one, sorted by
// field. Before the new image's configuration is known, pass the old one's: then
// the differences are the image and what was declared.
//
// For a first install, old is nil and every setting is a difference.
func Differences(old *Inspected, planned Recipe, reference string, image ImageConfig) []Difference {
	next := planned.made(image)
	next.Config.Image = reference
	if old == nil {
		return between(Recipe{}, next)
	}
	now := settled(*old)
	now.Config.Image = old.Config.Image
	return between(now, next)
}

// Compare compares the container that was with the one that took its place and
// returns what was not expected, sorted by field. An expected difference that is
// not there is returned too, the same value on both sides.
//
// What the engine generates for each container is not compared: its ID, times,
// process, paths, addresses and the like.
func Compare(old, made Inspected, expected []Difference) []Difference {
	before, after := settled(old), settled(made)
	before.Config.Image, after.Config.Image = old.Config.Image, made.Config.Image
	found := between(before, after)
	unexpected := slices.DeleteFunc(slices.Clone(found), func(d Difference) bool { return slices.Contains(expected, d) })
	for _, e := range expected {
		if !slices.ContainsFunc(found, func(d Difference) bool { return d.Field == e.Field }) {
			unexpected = append(unexpected, Difference{Field: e.Field, from: e.from, to: e.from})
		}
	}
	slices.SortFunc(unexpected, byField)
	return unexpected
}

func between(a, b Recipe) []Difference {
	before, after := a.fields(), b.fields()
	var found []Difference
	for field := range merged(before, after) {
		if before[field] != after[field] {
			found = append(found, Difference{Field: field, from: before[field], to: after[field]})
		}
	}
	slices.SortFunc(found, byField)
	return found
}

func byField(a, b Difference) int { return strings.Compare(a.Field, b.Field) }

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
