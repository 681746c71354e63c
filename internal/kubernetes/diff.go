package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"aigw-ci/internal/upgrade"
)

// maxObjects bounds a rendered manifest, as maxManifest does.
const maxObjects = 2000

// difference tells two rendered manifests apart, field by field, in a stable order:
// "Deployment/ai-gateway: spec.replicas". The items of lists are known by their name
// where they have one, so that a variable in front does not change all that follow.
// An object that comes or goes is one change. Hooks are left out: they are no part of
// what runs. Secrets are redacted, see field; that one changes is told.
//
// Labels and annotations that follow from the rest, such as the chart's version and
// checksums, are told once and not at every object.
func difference(before, after string) ([]upgrade.Change, error) {
	was, err := objects(before)
	if err != nil {
		return nil, fmt.Errorf("reading what the release has rendered before: %w", err)
	}
	is, err := objects(after)
	if err != nil {
		return nil, fmt.Errorf("reading what the chart renders: %w", err)
	}
	var changes []upgrade.Change
	noise := make(map[upgrade.Change]bool)
	both := maps.Clone(was)
	maps.Copy(both, is)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		old, had := was[name]
		next, has := is[name]
		switch {
		case !had:
			changes = append(changes, upgrade.Change{Field: name, To: "(new)"})
		case !has:
			changes = append(changes, upgrade.Change{Field: name, From: "(exists)", To: "(removed)"})
		default:
			changes = append(changes, compare(name, flat(old), flat(next), noise)...)
		}
	}
	return append(slices.SortedFunc(maps.Keys(noise), byField), changes...), nil
}

func byField(a, b upgrade.Change) int {
	return strings.Compare(a.Field+a.From+a.To, b.Field+b.From+b.To)
}

// compare returns the fields in which two objects differ; repeated ones go to noise.
func compare(name string, was, is map[string]field, noise map[upgrade.Change]bool) (changes []upgrade.Change) {
	both := maps.Clone(was)
	maps.Copy(both, is)
	for _, path := range slices.Sorted(maps.Keys(both)) {
		old, had := was[path]
		next, has := is[path]
		if had == has && old.value == next.value {
			continue
		}
		c := upgrade.Change{Field: clean(name+": "+path, 400), From: old.shown(), To: next.shown()}
		switch {
		case !has:
			c.To = "(removed)"
		case had && c.To == c.From: // redacted, or cut off
			c.To += " (changed)"
		case c.To == "":
			c.To = `""`
		}
		if what := both[path].follows(); what != "" {
			c.Field = what
			noise[c] = true
			continue
		}
		changes = append(changes, c)
	}
	return changes
}

// follows is the name of a label or an annotation that changes with something else;
// "" for every other field.
func (f field) follows() string {
	last := f.path[len(f.path)-1]
	switch {
	case f.has("labels") && (last == "helm.sh/chart" || last == "app.kubernetes.io/version"):
		return "labels: " + last
	case f.has("annotations") && strings.HasPrefix(last, "checksum/"):
		return "annotations: " + clean(last, 100)
	}
	return ""
}

// objects reads a manifest: many YAML documents, each an object. Hooks are left out.
func objects(manifest string) (map[string]*unstructured.Unstructured, error) {
	if len(manifest) > maxManifest {
		return nil, fmt.Errorf("it is larger than %d MiB", maxManifest>>20)
	}
	found := make(map[string]*unstructured.Unstructured)
	for text := range documents(manifest) {
		if err := expands([]byte(text)); err != nil {
			return nil, fmt.Errorf("a document %w", err)
		}
		var content map[string]any
		if err := yaml.Unmarshal([]byte(text), &content); err != nil {
			return nil, fmt.Errorf("document %d is not YAML%s", len(found)+1, line(err))
		}
		o := &unstructured.Unstructured{Object: content}
		if len(content) == 0 || o.GetAnnotations()["helm.sh/hook"] != "" {
			continue
		}
		name := o.GetKind() + "/" + o.GetName()
		if ns := o.GetNamespace(); ns != "" {
			name = o.GetKind() + "/" + ns + "/" + o.GetName()
		}
		if name = clean(name, 300); o.GetKind() == "" || o.GetName() == "" {
			return nil, fmt.Errorf("document %d is no object: it has no kind or no name", len(found)+1)
		}
		if _, twice := found[name]; twice {
			name += "." + clean(o.GroupVersionKind().Group, 100)
		}
		if found[name] = o; len(found) > maxObjects {
			return nil, fmt.Errorf("it has more than %d objects", maxObjects)
		}
	}
	return found, nil
}

// flat lists every value of an object under its path, written as people write it.
func flat(o *unstructured.Unstructured) map[string]field {
	f := flattening{
		field:  field{kind: o.GetKind(), group: o.GroupVersionKind().Group},
		fields: make(map[string]field),
	}
	f.walk(nil, o.Object)
	return f.fields
}

type flattening struct {
	field  field // of which all others are copies
	fields map[string]field
}

func (f flattening) walk(path []string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, below := range value {
			f.walk(append(slices.Clip(path), key), below)
		}
		if len(value) == 0 {
			f.add(path, "{}")
		}
	case []any:
		for i, name := range names(value) {
			f.walk(append(slices.Clip(path), "["+name+"]"), value[i])
		}
		if len(value) == 0 {
			f.add(path, "[]")
		}
	case nil: // says nothing
	case float64:
		f.add(path, strconv.FormatFloat(value, 'f', -1, 64))
	default:
		f.add(path, fmt.Sprint(value))
	}
}

func (f flattening) add(path []string, value string) {
	if len(path) == 0 {
		return
	}
	one := f.field
	one.path, one.value = path, value
	f.fields[pathText(path)] = one
}

// pathText is a path as people write it: "spec.containers[ai-gateway].image".
func pathText(path []string) string {
	var b strings.Builder
	for i, part := range path {
		switch {
		case strings.HasPrefix(part, "["):
		case strings.ContainsAny(part, "./"):
			part = "[" + part + "]"
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}

// names are what the items of a list are known by: the first of these keys that every
// item has and no two share, else their places. Each is what Kubernetes itself merges
// one of its lists by.
func names(list []any) []string {
	for _, key := range []string{"name", "mountPath", "containerPort", "port", "host", "secretName", "key", "ip"} {
		found, seen := make([]string, 0, len(list)), make(map[string]bool)
		for _, item := range list {
			m, _ := item.(map[string]any)
			if v, ok := m[key]; ok {
				if text := fmt.Sprint(v); !seen[text] {
					seen[text], found = true, append(found, text)
				}
			}
		}
		if len(found) == len(list) {
			return found
		}
	}
	places := make([]string, len(list))
	for i := range list {
		places[i] = strconv.Itoa(i)
	}
	return places
}
