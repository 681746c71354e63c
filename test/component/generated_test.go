package component

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/config"
)

var update = flag.Bool("update", false, "write the generated parts of the templates and of docs/components.md")

// The parts of the templates that belong to the settings are written by this
// package; a comment says which kind follows.
const (
	inputsMark    = "# settings as inputs"
	variablesMark = "# settings as variables"
	passMark      = "# settings passed on"
	endMark       = "# end of settings"
)

// reportDir is the one text that has a default and a pattern of its own: the
// artifacts are looked for where it says, and there GitLab takes no variables.
const (
	reportDir        = "aigw-ci"
	reportDirPattern = `^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$`
)

// asInput declares a setting as an input. Left at its default it says nothing, where
// its type has a way to say nothing.
func asInput(s config.Setting) []string {
	description, byDefault := s.Summary, `""`
	if enumerations[s.Name] == nil && s.Type != config.Boolean {
		description += "; e.g. " + s.Example
	}
	if s.Type == config.List {
		description += "; a comma or a line break between several"
	}
	switch {
	case s.Type == config.Boolean || s.Type == config.Number:
		byDefault = s.Default
	case s.Name == "report.dir":
		byDefault = reportDir
	case s.Default != "":
		description += "; left empty: " + strings.ReplaceAll(s.Default, "\n", ", ")
	default:
		description += "; left empty: " + s.Otherwise
	}
	lines := []string{inputName(s) + ":", "  description: " + quoted(description)}
	if s.Type == config.Boolean || s.Type == config.Number {
		lines = append(lines, "  type: "+string(s.Type))
	}
	if words := slices.Clone(enumerations[s.Name]); words != nil {
		for i, word := range words {
			if word == "off" { // which GitLab reads as false. Source: YAML 1.1, yaml.org/type/bool
				words[i] = quoted(word)
			}
		}
		lines = append(lines, `  options: ["", `+strings.Join(words, ", ")+"]")
	}
	lines = append(lines, "  default: "+byDefault)
	if s.Name == "report.dir" {
		lines = append(lines, "  regex: "+quoted(reportDirPattern))
	}
	return lines
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func asVariable(s config.Setting) []string {
	return []string{s.Variable + ": $[[ inputs." + inputName(s) + " ]]"}
}

func passedOn(s config.Setting) []string {
	return []string{inputName(s) + ": $[[ inputs." + inputName(s) + " ]]"}
}

// generate writes the settings into a template, between the marks.
func generate(text string) string {
	var b strings.Builder
	skipping := false
	for line := range strings.Lines(text) {
		mark := strings.TrimSpace(line)
		if mark == endMark {
			skipping = false
		}
		if !skipping {
			b.WriteString(line)
		}
		kind, except, _ := strings.Cut(mark, ", except ")
		write := map[string]func(config.Setting) []string{inputsMark: asInput, variablesMark: asVariable, passMark: passedOn}[kind]
		if write == nil {
			continue
		}
		skipping = true
		indent := line[:strings.IndexByte(line, '#')]
		for _, s := range settings() {
			if inputName(s) == except {
				continue
			}
			for _, l := range write(s) {
				b.WriteString(indent + l + "\n")
			}
		}
	}
	return b.String()
}

func TestGenerated(t *testing.T) {
	for _, component := range components {
		golden(t, templatePath(component), generate)
	}
	golden(t, tables, func(text string) string { return generateTables(t, text) })
}

// golden compares a file with what should be in it, which is made of what is.
func golden(t *testing.T, path string, of func(string) string) {
	t.Helper()
	got := read(t, path)
	want := of(got)
	if *update && got != want {
		if err := os.WriteFile(filepath.Join(root, path), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: run 'go test ./test/component -update'\n%s", path, diff)
	}
}

// tables is where the tables of inputs are, each after a line "<!-- inputs NAME -->".
const tables = "docs/components.md"

// kubernetesPage has examples as well, but no table.
const kubernetesPage = "docs/kubernetes.md"

var tableMark = regexp.MustCompile(`(?s)<!-- inputs ([\w-]+) -->\n.*?<!-- /inputs -->`)

func generateTables(t *testing.T, text string) string {
	seen := make(map[string]bool)
	result := tableMark.ReplaceAllStringFunc(text, func(part string) string {
		name := tableMark.FindStringSubmatch(part)[1]
		seen[name] = true
		return "<!-- inputs " + name + " -->\n" + table(t, name) + "<!-- /inputs -->"
	})
	for _, name := range append([]string{"settings"}, components...) {
		if !seen[name] {
			t.Errorf("%s has no table of the inputs of %s", tables, name)
		}
	}
	return result
}

// table is the inputs of a component, or those that every component has.
func table(t *testing.T, name string) string {
	var names []string
	component := name
	if name == "settings" {
		component = components[0]
		for _, s := range settings() {
			names = append(names, inputName(s))
		}
	} else {
		names = own(component)
	}
	specs := inputsOf(t, component)
	var b strings.Builder
	b.WriteString("| input | type | default | meaning |\n|---|---|---|---|\n")
	for _, name := range names {
		s := specs[name]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, s.Type, shown(s.Default), cell(s.Description+conditions(s)))
	}
	return b.String()
}

func conditions(s spec) string {
	switch {
	case s.Options != nil:
		var words []string
		for _, o := range s.Options {
			if o != "" {
				words = append(words, fmt.Sprintf("`%v`", o))
			}
		}
		return "; one of " + strings.Join(words, ", ")
	case s.Regex != "":
		return "; matches `" + s.Regex + "`"
	}
	return ""
}

// shown is a default in a table. A digest says nothing to a reader.
func shown(value any) string {
	switch value := value.(type) {
	case string:
		if value == "" {
			return "empty"
		}
		if image, _, pinned := strings.Cut(value, "@sha256:"); pinned {
			return "`" + image + "`, by digest"
		}
		return "`" + value + "`"
	case []any:
		var rules []string
		for _, rule := range value {
			rules = append(rules, shownRule(rule.(map[string]any)))
		}
		return strings.Join(rules, "<br>")
	}
	return fmt.Sprintf("`%v`", value)
}

func shownRule(rule map[string]any) string {
	text := fmt.Sprintf("`%v`", rule["if"])
	if when, ok := rule["when"]; ok {
		text += fmt.Sprintf(": %v", when)
	}
	return cell(text)
}

func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", "<br>").Replace(s) }
