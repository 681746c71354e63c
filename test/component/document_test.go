// Package component tests the CI components in templates/ without a GitLab: it reads
// them as GitLab's server does, and looks at the jobs that come out.
package component

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"
)

// root is the repository, seen from this package.
const root = "../.."

// components are the templates by name, in the order in which documents list them.
var components = []string{"upgrade", "plan", "verify", "full-pipeline"}

// jobs are the components that consist of one job each.
var jobs = []string{"upgrade", "plan", "verify"}

// document is a configuration file of two YAML documents.
type document struct {
	header map[string]any // nil when there is only one document
	body   map[string]any
}

// parse reads a configuration file. Source: GitLab, lib/gitlab/ci/config/yaml/
// loader.rb (at most two documents) and documents.rb (the first of two is a header
// when it has spec).
func parse(text []byte) (document, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var parts []map[string]any
	for {
		var part map[string]any
		err := decoder.Decode(&part)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return document{}, err
		}
		parts = append(parts, part)
	}
	switch {
	case len(parts) == 1:
		return document{body: parts[0]}, nil
	case len(parts) == 2 && parts[0]["spec"] != nil:
		return document{header: parts[0], body: parts[1]}, nil
	}
	return document{}, fmt.Errorf("%d documents, or a first one without spec", len(parts))
}

// read returns a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func templatePath(component string) string { return "templates/" + component + ".yml" }

// template reads a component.
func template(t *testing.T, component string) document {
	t.Helper()
	d, err := parse([]byte(read(t, templatePath(component))))
	if err != nil {
		t.Fatalf("%s: %v", component, err)
	}
	if d.header == nil {
		t.Fatalf("%s has no header", component)
	}
	return d
}

// inputsOf is what a component declares, by name.
func inputsOf(t *testing.T, component string) map[string]spec {
	t.Helper()
	specs, err := template(t, component).specs()
	if err != nil {
		t.Fatalf("%s: %v", component, err)
	}
	return specs
}

func TestThereIsNoOtherComponent(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob(filepath.Join(root, "templates", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(components) {
		t.Errorf("templates/ holds %q, and the tests know of %q", found, components)
	}
}
