package component

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample has an input of every kind.
const sample = `
spec:
  inputs:
    name: {description: required, type: string}
    minimal:
      default: ""
    size: {type: number, default: 3}
    ratio: {type: number, default: 0.5, options: [0.5, 1]}
    on: {type: boolean, default: true}
    list: {type: array, default: [a, {if: $X == "y"}]}
    level: {options: [low, high], default: low}
    host: {regex: '^[a-z.]+$', default: a.example.com}
---
"$[[ inputs.name ]]-job":
  variables:
    TEXT: $[[ inputs.name ]]
    MINIMAL: $[[inputs.minimal]]
    SIZE: $[[ inputs.size ]]
    RATIO: $[[   inputs.ratio   ]]
    ON: $[[ inputs.on ]]
  rules: $[[ inputs.list ]]
  stage: $[[ inputs.level ]]
  script: ["echo $[[ inputs.host ]] $[[ inputs.size ]] $[[ inputs.on ]]", "$[ not ours ]", 7]
`

func TestInterpreterExpands(t *testing.T) {
	t.Parallel()
	d, err := parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.expand(map[string]any{"name": "$[[ inputs.host ]]", "size": 4, "on": false, "host": "b"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"$[[ inputs.host ]]-job": map[string]any{
		"variables": map[string]any{
			"TEXT":    "$[[ inputs.host ]]", // a single pass
			"MINIMAL": "", "SIZE": 4, "RATIO": 0.5, "ON": false,
		},
		"rules":  []any{"a", map[string]any{"if": `$X == "y"`}},
		"stage":  "low",
		"script": []any{"echo b 4 false", "$[ not ours ]", 7},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestInterpreterRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		inputs map[string]any
		want   string
	}{
		"missing":           {map[string]any{}, "`name` input: required value has not been provided"},
		"unknown":           {map[string]any{"name": "x", "nmae": "x"}, "unknown input arguments: nmae"},
		"number for text":   {map[string]any{"name": 18.5}, "`name` input: provided value is not a string"},
		"text for number":   {map[string]any{"name": "x", "size": "3"}, "`size` input: provided value is not a number"},
		"text for boolean":  {map[string]any{"name": "x", "on": "yes"}, "`on` input: provided value is not a boolean"},
		"text for array":    {map[string]any{"name": "x", "list": "a"}, "`list` input: provided value is not a array"},
		"not an option":     {map[string]any{"name": "x", "level": "middle"}, "`level` input: `middle` cannot be used"},
		"not a number's":    {map[string]any{"name": "x", "ratio": 2}, "`ratio` input: `2` cannot be used"},
		"pattern":           {map[string]any{"name": "x", "host": "a b"}, "`host` input: provided value does not match"},
		"pattern and empty": {map[string]any{"name": "x", "host": ""}, "`host` input: provided value does not match"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := parse([]byte(sample))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = d.expand(tt.inputs); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestInterpreterRefusesTemplates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"three documents":      {"spec: {}\n---\na: 1\n---\nb: 1\n", "3 documents"},
		"key of 18.6":          {"spec: {component: [version]}\n---\na: 1\n", "contains unknown keys: component"},
		"key of 18.7":          {"spec: {inputs: {x: {rules: []}}}\n---\na: 1\n", "contains unknown keys: rules"},
		"key of 18.10":         {"spec: {description: x}\n---\na: 1\n", "contains unknown keys: description"},
		"type":                 {"spec: {inputs: {x: {type: text}}}\n---\na: 1\n", "unknown value: text"},
		"default's type":       {"spec: {inputs: {x: {type: number, default: '3'}}}\n---\na: 1\n", "default value is not a number"},
		"default's option":     {"spec: {inputs: {x: {options: [a], default: ''}}}\n---\na: 1\n", "`` cannot be used"},
		"default and pattern":  {"spec: {inputs: {x: {regex: '^$', default: ''}}}\n---\na: 1\n", "default value does not match"},
		"pattern not of RE2":   {"spec: {inputs: {x: {regex: '(?=a)', default: 'a'}}}\n---\na: 1\n", "invalid regular expression"},
		"pattern for a number": {"spec: {inputs: {x: {type: number, regex: '3', default: 3}}}\n---\na: 1\n", "only be used with string"},
		"options of a boolean": {"spec: {inputs: {x: {type: boolean, options: [true], default: true}}}\n---\na: 1\n", "only be used with string and number"},
		"unknown block":        {"spec: {inputs: {x: {default: a}}}\n---\na: $[[ inputs.y ]]\n", "unknown interpolation key: `inputs.y`"},
		"newer context":        {"spec: {inputs: {x: {default: a}}}\n---\na: $[[ component.version ]]\n", "unknown interpolation key: `component.version`"},
		"function":             {"spec: {inputs: {x: {default: a}}}\n---\na: $[[ inputs.x | posix_escape ]]\n", "unknown interpolation key"},
		"array within a text":  {"spec: {inputs: {x: {type: array, default: [a]}}}\n---\na: of $[[ inputs.x ]]\n", "an array within a text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := parse([]byte(tt.text))
			if err == nil {
				_, err = d.expand(nil)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
