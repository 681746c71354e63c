package docker

import (
	"maps"
	"slices"
	"strings"
)

// Labels that say which of a container's settings its user made. The engine does
// not tell them apart from what the image provides, so without these labels a
// value that equals the image's own is taken for the image's.
const (
	// LabelEnvironment lists the variables the user set, separated by commas.
	LabelEnvironment = "aigw-ci.environment"
	// LabelSettings lists which of "command", "entrypoint", "stopsignal", "user" and
	// "workdir" the user set, separated by commas.
	LabelSettings = "aigw-ci.settings"
	// LabelCABundle is the SHA-256 of the CA bundle that was put into the
	// container, in hexadecimal.
	LabelCABundle = "aigw-ci.ca-bundle"
)

// labelPrefix is common to every label of this program.
const labelPrefix = "aigw-ci."

// Origin says which settings come from the user and not from the image.
type Origin struct {
	Environment []string // names, sorted
	Settings    []string // see LabelSettings; sorted
	CABundle    string   // see LabelCABundle; empty when there is none
}

// readOrigin reads what an earlier run recorded on a container.
func readOrigin(labels map[string]string) Origin {
	return Origin{
		Environment: list(labels[LabelEnvironment]),
		Settings:    list(labels[LabelSettings]),
		CABundle:    labels[LabelCABundle],
	}
}

// record puts the origin on a container to be made. A variable whose name has a
// comma is left out: the next run compares it with its image.
func (o Origin) record(labels map[string]string) {
	names := slices.DeleteFunc(slices.Clone(o.Environment), func(n string) bool { return strings.Contains(n, ",") })
	labels[LabelEnvironment] = strings.Join(names, ",")
	labels[LabelSettings] = strings.Join(o.Settings, ",")
	if o.CABundle != "" {
		labels[LabelCABundle] = o.CABundle
	}
}

func (o Origin) clone() Origin {
	o.Environment = slices.Clone(o.Environment)
	o.Settings = slices.Clone(o.Settings)
	return o
}

// foreignLabels are the labels that are not this program's.
func foreignLabels(labels map[string]string) map[string]string {
	kept := maps.Clone(labels)
	maps.DeleteFunc(kept, func(name, _ string) bool { return strings.HasPrefix(name, labelPrefix) })
	return kept
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	names := strings.Split(s, ",")
	slices.Sort(names)
	return slices.Compact(names)
}
