package component

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// block is $[[ inputs.name ]]. Source: GitLab,
// lib/gitlab/ci/config/interpolation/template.rb.
var block = regexp.MustCompile(`\$\[\[\s*(\S.*?\S)\s*\]\]`)

// interpolate puts values into a tree of YAML, keys included, once: what a value
// brings in is not looked at again. A text that is one block becomes the value with
// its type, a block within a text becomes text. Source: as above, and config.rb.
func interpolate(node any, inputs map[string]any) (any, error) {
	switch node := node.(type) {
	case string:
		return interpolateText(node, inputs)
	case []any:
		list := make([]any, len(node))
		var wrong []error
		for i, item := range node {
			var err error
			list[i], err = interpolate(item, inputs)
			wrong = append(wrong, err)
		}
		return list, errors.Join(wrong...)
	case map[string]any:
		all := make(map[string]any, len(node))
		var wrong []error
		for _, key := range slices.Sorted(maps.Keys(node)) {
			name, err := interpolate(key, inputs)
			value, err2 := interpolate(node[key], inputs)
			wrong = append(wrong, err, err2)
			all[fmt.Sprint(name)] = value
		}
		return all, errors.Join(wrong...)
	}
	return node, nil
}

func interpolateText(text string, inputs map[string]any) (any, error) {
	found := block.FindAllStringSubmatch(text, -1)
	if len(found) == 0 {
		return text, nil
	}
	var wrong []error
	value := func(data string) any {
		name, ok := strings.CutPrefix(data, "inputs.")
		v, known := inputs[name]
		if !ok || !known {
			wrong = append(wrong, fmt.Errorf("unknown interpolation key: `%s`", data))
		}
		return v
	}
	if found[0][0] == text {
		whole := value(found[0][1])
		return whole, errors.Join(wrong...)
	}
	result := block.ReplaceAllStringFunc(text, func(b string) string {
		v := value(block.FindStringSubmatch(b)[1])
		if _, isArray := v.([]any); isArray {
			// GitLab would put in Ruby's notation of it, which nobody can want.
			wrong = append(wrong, fmt.Errorf("%s: an array within a text", b))
		}
		return fmt.Sprint(v)
	})
	return result, errors.Join(wrong...)
}

// expand is what a component becomes for the inputs that an include gives it.
func (d document) expand(given map[string]any) (map[string]any, error) {
	if d.header == nil {
		if len(given) > 0 {
			return nil, errors.New("Given inputs not defined in the `spec` section of the included configuration file")
		}
		return d.body, nil
	}
	specs, err := d.specs()
	if err != nil {
		return nil, err
	}
	inputs, err := values(specs, given)
	if err != nil {
		return nil, err
	}
	tree, err := interpolate(d.body, inputs)
	if err != nil {
		return nil, err
	}
	return tree.(map[string]any), nil
}
