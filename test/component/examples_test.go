package component

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// examples are the indented blocks of a Markdown text that are a configuration with
// includes.
func examples(markdown string) []string {
	var found []string
	var code strings.Builder
	flush := func() {
		if text := code.String(); strings.HasPrefix(text, "include:") {
			found = append(found, text)
		}
		code.Reset()
	}
	for line := range strings.Lines(markdown) {
		switch text, indented := strings.CutPrefix(line, "    "); {
		case indented:
			code.WriteString(text)
		case strings.TrimSpace(line) == "":
			code.WriteString("\n")
		default:
			flush()
		}
		if code.String() == "\n" {
			code.Reset()
		}
	}
	flush()
	return found
}

// Every example can be copied: GitLab takes the inputs, and the jobs are jobs.
func TestExamples(t *testing.T) {
	t.Parallel()
	for file, least := range map[string]int{"README.md": 6, tables: 2, kubernetesPage: 2} {
		all := examples(read(t, file))
		if len(all) < least {
			t.Errorf("%s has %d examples, want at least %d", file, len(all), least)
		}
		for _, text := range all {
			var config map[string]any
			if err := yaml.Unmarshal([]byte(text), &config); err != nil {
				t.Errorf("%s: %v in\n%s", file, err, text)
				continue
			}
			jobs, err := pipeline(config)
			if err != nil {
				t.Errorf("%s: %v in\n%s", file, err, text)
			}
			delete(jobs, "stages")
			for name, job := range jobs {
				if wrong := problems(job); len(wrong) > 0 {
					t.Errorf("%s: %s: %s in\n%s", file, name, strings.Join(wrong, "; "), text)
				}
			}
		}
	}
}
