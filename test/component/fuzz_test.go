package component

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzInputs is TestInjection with every text there is: it arrives where a harmless
// one would, as it is, or is refused, and it changes no script.
func FuzzInputs(f *testing.F) {
	const harmless = "harmless"
	type target struct {
		document
		name    string
		plain   map[string]any
		limited bool // the input takes certain values only
	}
	targets := map[string]target{}
	for _, component := range components {
		d := readTemplate(f, component)
		specs, err := d.specs()
		if err != nil {
			f.Fatal(err)
		}
		for name, s := range specs {
			if s.Type != "string" {
				continue
			}
			plain, _ := d.expand(map[string]any{name: harmless})
			targets[component+" "+name] = target{d, name, plain, s.Options != nil || s.Regex != ""}
			f.Add(component+" "+name, "$[[ inputs."+name+" ]]")
		}
	}
	for _, attack := range attacks {
		f.Add("upgrade gitlab_url", attack)
		f.Add("plan job_prefix", attack)
	}
	f.Fuzz(func(t *testing.T, which, text string) {
		at, known := targets[which]
		if !known || at.plain == nil || strings.Contains(text, harmless) {
			return
		}
		got, err := at.expand(map[string]any{at.name: text})
		if err != nil {
			if !at.limited {
				t.Errorf("%s refuses %q: %v", which, text, err)
			}
			return
		}
		if diff := cmp.Diff(replace(at.plain, harmless, text), any(got)); diff != "" {
			t.Errorf("%s = %q: %s", which, text, diff)
		}
		if diff := cmp.Diff(scripts(at.plain), scripts(got)); diff != "" {
			t.Errorf("%s = %q changes a script: %s", which, text, diff)
		}
	})
}

// FuzzTemplate reads documents that are none: what reads the templates here must not
// be brought down by a mistake in one.
func FuzzTemplate(f *testing.F) {
	for _, component := range components {
		f.Add(templateText(f, component), "x")
	}
	f.Add("spec:\n  inputs:\n    a: {options: [1], regex: '('}\n---\nb: $[[ inputs.a ]]", "1")
	f.Add("---\n---\n---", "")
	f.Fuzz(func(_ *testing.T, text, value string) {
		d, err := parse([]byte(text))
		if err != nil {
			return
		}
		_, _ = d.expand(map[string]any{"a": value})
		_, _ = d.expand(nil)
	})
}

func templateText(f *testing.F, component string) string {
	f.Helper()
	text, err := os.ReadFile(filepath.Join(root, templatePath(component)))
	if err != nil {
		f.Fatal(err)
	}
	return string(text)
}

func readTemplate(f *testing.F, component string) document {
	f.Helper()
	d, err := parse([]byte(templateText(f, component)))
	if err != nil {
		f.Fatal(err)
	}
	return d
}
