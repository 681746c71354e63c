package component

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// attacks are values that would do something if any of them came into a shell, into
// the text of the YAML, or were interpolated a second time.
var attacks = []string{
	`'; id; '`, `"; id; "`, "$(id)", "`id`", "${IFS}id", "a && id", "| id", "> /etc/passwd",
	"one\ntwo", "\"\nscript: [id]\n#", "]}\n\nevil-job:\n  script: id", "- id", "!reference [x, script]", "*anchor",
	"$[[ inputs.image ]]", `\0 \1 \& \\`, "\t\x07\u2028", "--version", "null", "true",
}

// Every text that a user can give arrives where a harmless one would, as it is, or is
// refused. It changes nothing else, and no script.
func TestInjection(t *testing.T) {
	t.Parallel()
	const harmless = "harmless"
	for _, component := range components {
		t.Run(component, func(t *testing.T) {
			t.Parallel()
			d := template(t, component)
			for name, s := range inputsOf(t, component) {
				if s.Type != "string" {
					continue
				}
				plain, err := d.expand(map[string]any{name: harmless})
				if (err != nil) != (s.Options != nil) {
					t.Errorf("%s: %v", name, err)
				}
				for _, attack := range attacks {
					got, err := d.expand(map[string]any{name: attack})
					switch {
					case err != nil && s.Options == nil && s.Regex == "":
						t.Errorf("%s: %v", name, err)
					case err == nil && s.Options != nil:
						t.Errorf("%s takes %q", name, attack)
					case err == nil && !cmp.Equal(replace(plain, harmless, attack), any(got)):
						t.Errorf("%s = %q: %s", name, attack, cmp.Diff(replace(plain, harmless, attack), any(got)))
					}
					if diff := cmp.Diff(scripts(plain), scripts(got)); err == nil && diff != "" {
						t.Errorf("%s = %q changes a script: %s", name, attack, diff)
					}
				}
			}
		})
	}
}

// replace is a tree with another text in the place of one, in keys, too.
func replace(node any, old, text string) any {
	switch node := node.(type) {
	case string:
		return strings.ReplaceAll(node, old, text)
	case []any:
		list := make([]any, len(node))
		for i, item := range node {
			list[i] = replace(item, old, text)
		}
		return list
	case map[string]any:
		all := make(map[string]any, len(node))
		for key, value := range node {
			all[strings.ReplaceAll(key, old, text)] = replace(value, old, text)
		}
		return all
	}
	return node
}

func scripts(config map[string]any) (all []any) {
	for _, node := range config {
		if job, ok := node.(map[string]any); ok {
			all = append(all, job["script"])
		}
	}
	return all
}

// Nothing is interpolated into a script, and a variable is one whole block: within
// a text, GitLab gives backslashes a meaning (Ruby's gsub).
func TestInputsGoIntoVariablesOnly(t *testing.T) {
	t.Parallel()
	for _, component := range jobs {
		job := template(t, component).body["$[[ inputs.job_prefix ]]aigw-"+component].(map[string]any)
		if diff := cmp.Diff([]any{"aigw-ci " + component}, job["script"]); diff != "" {
			t.Errorf("%s: script: %s", component, diff)
		}
		for _, key := range []string{"before_script", "after_script", "hooks", "secrets", "services"} {
			if job[key] != nil {
				t.Errorf("%s has a %s", component, key)
			}
		}
		variables := job["variables"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			value, _ := variables[name].(string)
			if block.FindString(value) != value || value == "" {
				t.Errorf("%s: %s is %q", component, name, value)
			}
		}
	}
}
