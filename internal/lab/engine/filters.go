package engine

import (
	"encoding/json"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

// filters are the "filters" of a list call: for each name the values of which
// one has to fit.
type filters map[string][]string

// readFilters reads the query's filters, in both spellings of the API: lists,
// and the maps of newer clients. A filter that is not known is refused.
func readFilters(r *http.Request, known ...string) (filters, error) {
	s := r.URL.Query().Get("filters")
	if s == "" {
		return filters{}, nil
	}
	var lists filters
	if json.Unmarshal([]byte(s), &lists) != nil {
		var sets map[string]map[string]bool
		if err := json.Unmarshal([]byte(s), &sets); err != nil {
			return nil, err
		}
		lists = filters{}
		for name, set := range sets {
			for v, on := range set {
				if on {
					lists[name] = append(lists[name], v)
				}
			}
		}
	}
	for name := range lists {
		if !slices.Contains(known, name) {
			return nil, refuse(http.StatusBadRequest, "Invalid filter '%s'", name)
		}
	}
	return lists, nil
}

// one says whether a value is among those asked for; no question fits all.
func (f filters) one(name, value string) bool {
	return len(f[name]) == 0 || slices.Contains(f[name], value)
}

// name matches as a regular expression, on the name with and without its slash.
func (f filters) name(value string) bool {
	return len(f["name"]) == 0 || slices.ContainsFunc(f["name"], func(pattern string) bool {
		re, err := regexp.Compile(pattern)
		return err == nil && (re.MatchString(value) || re.MatchString("/"+value)) || pattern == value
	})
}

// id matches the beginning.
func (f filters) id(value string) bool {
	return len(f["id"]) == 0 || slices.ContainsFunc(f["id"], func(p string) bool { return strings.HasPrefix(value, p) })
}

// labels wants every label that is asked for: "key" or "key=value".
func (f filters) labels(have map[string]string) bool {
	for _, want := range f["label"] {
		key, value, exact := strings.Cut(want, "=")
		if got, ok := have[key]; !ok || exact && got != value {
			return false
		}
	}
	return true
}

// reference matches a tag, with or without its repository's tag part, as a glob.
func (f filters) reference(tags, digests []string) bool {
	if len(f["reference"]) == 0 {
		return true
	}
	for _, pattern := range f["reference"] {
		for _, key := range slices.Concat(tags, digests) {
			for _, s := range []string{key, repoOf(key)} {
				if ok, err := path.Match(pattern, s); err == nil && ok {
					return true
				}
			}
		}
	}
	return false
}
