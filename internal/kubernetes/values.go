package kubernetes

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"aigw-ci/internal/upgrade"
)

// values are what a release tells its chart, in the form that JSON has: maps, lists,
// strings, float64, bool and nil. Helm keeps them in the release and so they come back.
type values = map[string]any

// over puts top over base, as Helm puts one values file over another: maps are merged
// key by key, everything else is replaced, and a null stays, for it takes away what
// the chart has there. Neither argument is changed nor shared.
//
// The lists that the gateway's settings and the administrator both write to are the
// exception: they are merged item by item, see itemKey.
func over(base, top values) values { return merge("", base, top) }

func merge(path string, base, top values) values {
	out := duplicate(base)
	for key, above := range top {
		at := join(path, key)
		switch below := out[key].(type) {
		case values:
			if m, ok := above.(values); ok {
				out[key] = merge(at, below, m)
				continue
			}
		case []any:
			if list, ok := above.([]any); ok && itemKey(at) != "" {
				out[key] = mergeItems(itemKey(at), below, list)
				continue
			}
		}
		out[key] = duplicateAny(above)
	}
	return out
}

// without takes from v what applied has put there: every value that is still the one
// in applied, and the items of applied in the lists that are merged. What somebody has
// changed since is theirs and stays. A map that becomes empty so is gone as well.
//
// Thus without(over(own, applied), applied) is own, but for what applied has replaced,
// and without(over(derived, own), own) is the part of derived that counts.
func without(v, applied values) values { return subtract("", v, applied) }

func subtract(path string, v, applied values) values {
	out := duplicate(v)
	for key, ours := range applied {
		theirs, there := out[key]
		if !there {
			continue
		}
		at := join(path, key)
		switch have := theirs.(type) {
		case values:
			if m, ok := ours.(values); ok && len(have) > 0 {
				if left := subtract(at, have, m); len(left) > 0 {
					out[key] = left
				} else {
					delete(out, key)
				}
				continue
			}
		case []any:
			if list, ok := ours.([]any); ok && itemKey(at) != "" && len(have) > 0 {
				left := slices.DeleteFunc(slices.Clone(have), func(item any) bool {
					return slices.ContainsFunc(list, func(o any) bool { return reflect.DeepEqual(o, item) })
				})
				if out[key] = left; len(left) == 0 {
					delete(out, key)
				}
				continue
			}
		}
		if reflect.DeepEqual(theirs, ours) {
			delete(out, key)
		}
	}
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func duplicate(v values) values {
	out := make(values, len(v))
	for key, value := range v {
		out[key] = duplicateAny(value)
	}
	return out
}

func duplicateAny(value any) any {
	switch value := value.(type) {
	case values:
		return duplicate(value)
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = duplicateAny(item)
		}
		return list
	}
	return value
}

// derive returns the values that follow from the settings, as the install page writes
// them; see docs.gitlab.com/install/install_ai_gateway. They belong under own, which
// are the values that the administrator has given the release by hand: notes tell
// where those win, and which of those may defeat the image.
func (d Declared) derive(_ string, m material, own values) (derived values, notes []string, err error) {
	derived = values{}
	if d.GitLabURL != "" {
		url := strings.TrimRight(d.GitLabURL, "/")
		derived["gitlab"] = values{"url": url, "apiUrl": url + "/api/v4/"}
	}
	if d.Host != "" {
		ingress := values{
			"enabled": true,
			// Without it newer charts leave the Ingress to the GitLab chart they may be in.
			"gitlabIngressEnabled": false,
			"hosts": []any{values{"host": d.Host, "paths": []any{
				values{"path": "/", "pathType": "ImplementationSpecific"},
			}}},
		}
		if m.tls != "" {
			ingress["tls"] = []any{values{"secretName": m.tls, "hosts": []any{d.Host}}}
		}
		derived["ingress"] = ingress
	}
	if err := m.environment(derived, own); err != nil {
		return nil, nil, err
	}
	for _, path := range outvoted("", derived, own) {
		notes = append(notes, fmt.Sprintf("the release has a value of its own for %s, which stays: to have the one that follows from the settings, set it in kubernetes.values", path))
	}
	return derived, append(notes, misleading(own)...), nil
}

// compose is the whole of a release's values, from the lowest to the highest: what
// the settings derive, the administrator's own, kubernetes.values_files and
// kubernetes.values, the variables and certificates that are declared, the image.
// Applied is the part of them that is ours; the next run takes it off the release's
// values to find the administrator's own again.
func (d Declared) compose(release string, m material, own values, image upgrade.Image) (all, applied values, notes []string, err error) {
	derived, notes, err := d.derive(release, m, own)
	if err != nil {
		return nil, nil, nil, err
	}
	declared := values{}
	for _, document := range d.Values {
		parsed, err := document.parse()
		if err != nil {
			return nil, nil, nil, err
		}
		declared = over(declared, parsed)
	}
	if err := m.contradicts(declared); err != nil {
		return nil, nil, nil, err
	}
	all = over(over(derived, own), declared)
	all = over(all, m.items())
	all = over(all, imageValues(image))
	return all, without(all, own), append(notes, misleading(declared)...), nil
}

// outvoted are the paths at which own has something else than derived.
func outvoted(path string, derived, own values) (paths []string) {
	for _, key := range slices.Sorted(maps.Keys(derived)) {
		theirs, there := own[key]
		at := join(path, key)
		ours, isMap := derived[key].(values)
		theirsMap, both := theirs.(values)
		switch {
		case !there, itemKey(at) != "":
		case isMap && both:
			paths = append(paths, outvoted(at, ours, theirsMap)...)
		case !reflect.DeepEqual(derived[key], theirs):
			paths = append(paths, at)
		}
	}
	return paths
}

// imageValues name the image so that "repository:tag", which is what the chart makes
// of them, is the image by digest.
func imageValues(image upgrade.Image) values {
	if image.Tag == "" {
		algorithm, hex, _ := strings.Cut(image.Digest, ":")
		return values{"image": values{"repository": image.Repository + "@" + algorithm, "tag": hex}}
	}
	return values{"image": values{"repository": image.Repository, "tag": image.Tag + "@" + image.Digest}}
}

// misleading are notes on values by which other charts choose an image.
func misleading(v values) (notes []string) {
	for _, path := range []string{"image.digest", "image.registry", "image.sha", "global.image", "global.imageRegistry"} {
		var at any = v
		for key := range strings.SplitSeq(path, ".") {
			m, _ := at.(values)
			at = m[key]
		}
		if at != nil {
			notes = append(notes, fmt.Sprintf("the value %s is set: if the chart heeds it, it may run another image than the one that was chosen, which the gate would find", path))
		}
	}
	return notes
}
