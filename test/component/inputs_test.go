package component

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// spec is what a header says of one input.
type spec struct {
	Type        string // "string" when nothing is said
	Default     any
	Required    bool // there is no default
	Description string
	Options     []any
	Regex       string
}

// specs reads the header with the keys that GitLab 17.0 knows. A later key, such as
// rules (18.7), makes the include fail on every older server, so it is an error.
// Source: GitLab, lib/gitlab/ci/config/header/input.rb at 17.0.
func (d document) specs() (map[string]spec, error) {
	if err := only(d.header, "spec"); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	section, _ := d.header["spec"].(map[string]any)
	if err := only(section, "inputs"); err != nil {
		return nil, fmt.Errorf("spec: %w", err)
	}
	inputs, _ := section["inputs"].(map[string]any)
	specs := make(map[string]spec, len(inputs))
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		s, err := readSpec(inputs[name])
		if err != nil {
			wrong = append(wrong, fmt.Errorf("`%s` input: %w", name, err))
		}
		specs[name] = s
	}
	return specs, errors.Join(wrong...)
}

func readSpec(node any) (spec, error) {
	fields, ok := node.(map[string]any)
	if node != nil && !ok {
		return spec{}, errors.New("it is no hash")
	}
	if err := only(fields, "default", "description", "options", "regex", "type"); err != nil {
		return spec{}, err
	}
	s := spec{Type: "string"}
	byDefault, given := fields["default"]
	s.Default, s.Required = byDefault, !given
	err := errors.Join(
		take(fields, "type", &s.Type),
		take(fields, "description", &s.Description),
		take(fields, "regex", &s.Regex),
		take(fields, "options", &s.Options),
	)
	switch {
	case err != nil:
		return s, err
	case !slices.Contains([]string{"array", "boolean", "number", "string"}, s.Type):
		return s, fmt.Errorf("unknown value: %s", s.Type)
	case len(s.Options) > 50:
		return s, errors.New("cannot define more than 50 options")
	}
	return s, nil
}

// take reads a field, if it is there.
func take[T any](fields map[string]any, key string, into *T) error {
	value, given := fields[key]
	if !given {
		return nil
	}
	typed, ok := value.(T)
	if !ok {
		return fmt.Errorf("%s cannot be %v", key, value)
	}
	*into = typed
	return nil
}

func only(fields map[string]any, allowed ...string) error {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(allowed, key) {
			return fmt.Errorf("contains unknown keys: %s", key)
		}
	}
	return nil
}

// values are the values of all inputs, or everything that is wrong with them.
// Source: GitLab, lib/gitlab/ci/config/interpolation/inputs.rb and inputs/ at 17.0.
// (Since 18 a number is taken for a string input; the templates must not need it.)
func values(specs map[string]spec, given map[string]any) (map[string]any, error) {
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := specs[name]; !known {
			wrong = append(wrong, fmt.Errorf("unknown input arguments: %s", name))
		}
	}
	all := make(map[string]any, len(specs))
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		s := specs[name]
		value := given[name]
		if value == nil {
			value = s.Default
		}
		var err error
		if s.Required && given[name] == nil {
			err = errors.New("required value has not been provided")
		}
		if err == nil && !s.Required {
			err = s.check("default", s.Default)
		}
		if err == nil && given[name] != nil {
			err = s.check("provided", value)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("`%s` input: %w", name, err))
		}
		all[name] = value
	}
	return all, errors.Join(wrong...)
}

func (s spec) check(which string, value any) error {
	text, isText := value.(string)
	ok := false
	switch s.Type {
	case "string":
		ok = isText
	case "boolean":
		_, ok = value.(bool)
	case "array":
		_, ok = value.([]any)
	case "number":
		switch value.(type) {
		case int, float64:
			ok = true
		}
	}
	switch {
	case !ok:
		return fmt.Errorf("%s value is not a %s", which, s.Type)
	case s.Options != nil && s.Type != "string" && s.Type != "number":
		return errors.New("Options can only be used with string and number inputs")
	case s.Options != nil && !slices.Contains(s.Options, value):
		return fmt.Errorf("`%v` cannot be used because it is not in the list of allowed options", value)
	case s.Regex == "":
		return nil
	case s.Type != "string":
		return errors.New("RegEx validation can only be used with string inputs")
	}
	pattern, err := regexp.Compile(s.Regex) // RE2, as on the server
	if err != nil {
		return errors.New("invalid regular expression")
	}
	// Blank text matches nothing, whatever the pattern. Source: GitLab,
	// lib/gitlab/untrusted_regexp.rb before it had allow_empty_string.
	if strings.TrimSpace(text) == "" || !pattern.MatchString(text) {
		return fmt.Errorf("%s value does not match required RegEx pattern", which)
	}
	return nil
}
