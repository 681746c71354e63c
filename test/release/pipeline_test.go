package release

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"aigw-ci/internal/jobimage"
)

const root = "../.."

// pipeline is .gitlab-ci.yml, as far as these tests look.
type pipeline struct {
	Include   []include
	Stages    []string
	Workflow  struct{ Rules []rule }
	Variables map[string]string
	Jobs      map[string]job `yaml:",inline"`
}

type include struct {
	Component string
	Inputs    map[string]any
}

type rule struct {
	If, When     string
	AllowFailure bool `yaml:"allow_failure"`
	Variables    map[string]string
}

type job struct {
	Extends   any // a name, or several
	Stage     string
	Image     any
	Tags      []string
	Needs     []any
	Rules     []rule
	Variables map[string]any
	Script    []string
	Before    []string `yaml:"before_script"`
	After     []string `yaml:"after_script"`
	Release   map[string]any
	Artifacts map[string]any
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readPipeline(t *testing.T) pipeline {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(read(t, ".gitlab-ci.yml"))))
	var p pipeline
	if err := decoder.Decode(&p); err != nil {
		t.Fatal(err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Fatalf(".gitlab-ci.yml is more than one document: %v", err)
	}
	return p
}

func (p pipeline) visible() map[string]job {
	jobs := maps.Clone(p.Jobs)
	maps.DeleteFunc(jobs, func(name string, _ job) bool { return strings.HasPrefix(name, ".") })
	return jobs
}

func TestStagesAndJobs(t *testing.T) {
	t.Parallel()
	p := readPipeline(t)
	if got := strings.Join(p.Stages, " "); got != "test build components release" {
		t.Errorf("stages: %s", got)
	}
	stages := make(map[string]string)
	for name, j := range p.visible() {
		stages[name] = j.Stage
		if !slices.Contains(p.Stages, j.Stage) {
			t.Errorf("%s is in stage %q", name, j.Stage)
		}
	}
	// These would be settings of the whole pipeline. Source: GitLab,
	// lib/gitlab/ci/config/entry/root.rb.
	for _, name := range []string{"default", "image", "services", "before_script", "after_script", "cache", "types", "spec", "pages"} {
		if _, ok := p.Jobs[name]; ok {
			t.Errorf("%s is no name for a job", name)
		}
	}
	for name, stage := range map[string]string{
		"unit": "test", "engine": "test", "vulnerabilities": "test", "licences": "test",
		"binaries": "build", "job-image": "build", "components": "components", "trial": "components",
		"publish": "release", "release": "release",
	} {
		if stages[name] != stage {
			t.Errorf("%s is in stage %q, want %q", name, stages[name], stage)
		}
	}
}

// Each component is included from this project, this instance and this commit, runs
// the image of this commit, and waits for a person.
func TestComponentsOfThisCommit(t *testing.T) {
	t.Parallel()
	templates, err := filepath.Glob(filepath.Join(root, "templates", "*.yml"))
	if err != nil || len(templates) == 0 {
		t.Fatalf("templates: %v %v", templates, err)
	}
	included := make(map[string]include)
	for _, in := range readPipeline(t).Include {
		included[in.Component] = in
	}
	for _, template := range templates {
		name := strings.TrimSuffix(filepath.Base(template), ".yml")
		in, ok := included["$CI_SERVER_FQDN/$CI_PROJECT_PATH/"+name+"@$CI_COMMIT_SHA"]
		if !ok {
			t.Errorf("the component %s is not tested", name)
			continue
		}
		if got := in.Inputs["image"]; got != "$CI_REGISTRY_IMAGE:$CI_COMMIT_SHA" {
			t.Errorf("%s runs in %v", name, got)
		}
		if got := in.Inputs["environment"]; got != "component-test" {
			t.Errorf("%s is for the environment %v", name, got)
		}
		for input, value := range in.Inputs {
			if strings.HasSuffix(input, "rules") && !strings.Contains(fmt.Sprint(value), "when:manual") {
				t.Errorf("%s: %s is %v, and nobody starts it by hand", name, input, value)
			}
		}
	}
}

// A release comes last, from tags only, after every job there is.
func TestRelease(t *testing.T) {
	t.Parallel()
	p := readPipeline(t)
	tags := 0
	for _, r := range p.Workflow.Rules {
		if strings.Contains(r.If, "CI_COMMIT_TAG") {
			tags++
			if r.If != `$CI_COMMIT_TAG =~ /^\d+\.\d+\.\d+$/` {
				t.Errorf("pipelines for tags: %s", r.If)
			}
		}
	}
	if tags != 1 {
		t.Errorf("%d rules of the workflow are for tags", tags)
	}
	if got := p.Jobs[".tag"].Rules; len(got) != 1 || got[0].If != "$CI_COMMIT_TAG" {
		t.Errorf(".tag: %v", got)
	}
	for _, name := range []string{"publish", "release"} {
		if !strings.Contains(fmt.Sprint(p.Jobs[name].Extends), ".tag") || len(p.Jobs[name].Rules) != 0 {
			t.Errorf("%s runs not only for tags", name)
		}
	}
	needs := fmt.Sprint(p.Jobs["publish"].Needs)
	for name := range p.visible() {
		if name != "publish" && name != "release" && !strings.Contains(needs, name) {
			t.Errorf("publish does not wait for %s", name)
		}
	}
	r := p.Jobs["release"]
	if fmt.Sprint(r.Needs) != "[publish]" || r.Image != "$GLAB_IMAGE" || r.Release["tag_name"] != "$CI_COMMIT_TAG" {
		t.Errorf("release: %+v", r)
	}
	for name, j := range p.visible() {
		if name != "release" && j.Release != nil {
			t.Errorf("%s makes a release too", name)
		}
	}
	if image := p.Jobs["job-image"]; image.Rules[0].If != "$CI_COMMIT_TAG" || image.Rules[0].Variables["IMAGE_TARGET"] != "pin-check" {
		t.Error("the image of a tag is not compared with the pin")
	}
}

// A mirror on another instance runs the same file: nothing names an instance, and
// images and tools are variables.
func TestStrangersInstance(t *testing.T) {
	t.Parallel()
	p := readPipeline(t)
	host := regexp.MustCompile(`\bgitlab\.[a-z]+\b|https?://`)
	for number, line := range strings.Split(read(t, ".gitlab-ci.yml"), "\n") {
		code, _, _ := strings.Cut(line, "#")
		if host.MatchString(code) && !strings.HasPrefix(strings.TrimSpace(code), "GLAB_IMAGE:") {
			t.Errorf("line %d names a host: %s", number+1, line)
		}
	}
	for name, j := range p.visible() {
		image, ok := j.Image.(string)
		if m, isMap := j.Image.(map[string]any); isMap {
			image, ok = m["name"].(string)
		}
		if ok && !strings.HasPrefix(image, "$") {
			t.Errorf("%s runs in %s, which no variable changes", name, image)
		}
		if !ok && !strings.Contains(fmt.Sprint(j.Extends), ".go") {
			t.Errorf("%s has no image of its own", name)
		}
	}
}

// Everything that comes from elsewhere has a version, and the Go is the sources' own.
func TestPinnedTools(t *testing.T) {
	t.Parallel()
	p := readPipeline(t)
	s, err := jobimage.ReadSources(root)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Variables["GO_IMAGE"], "docker.io/library/golang:"+strings.TrimPrefix(s.Toolchain, "go")+"-bookworm"; got != want {
		t.Errorf("GO_IMAGE is %s, and go.mod wants %s", got, want)
	}
	for name, form := range map[string]string{
		"GLAB_IMAGE": `:v\d+\.\d+\.\d+$`, "GORELEASER": `@v\d+\.\d+\.\d+$`, "CYCLONEDX": `@v\d+\.\d+\.\d+$`,
		"GOVULNCHECK": `@v\d+\.\d+\.\d+$`, "GO_LICENSES": `@v\d+\.\d+\.\d+$`,
	} {
		if !regexp.MustCompile(form).MatchString(p.Variables[name]) {
			t.Errorf("%s is %q, without a version", name, p.Variables[name])
		}
	}
	for name, j := range p.visible() {
		for _, line := range j.Script {
			if strings.Contains(line, "@latest") || regexp.MustCompile(`curl|wget|apt-get`).MatchString(line) {
				t.Errorf("%s takes something without a version: %s", name, line)
			}
		}
	}
}

// Shell is for calling programs: few lines, one command each, every variable quoted.
func TestShell(t *testing.T) {
	t.Parallel()
	quoted := regexp.MustCompile(`"[^"]*"|'[^']*'`)
	for name, j := range readPipeline(t).Jobs {
		if n := len(j.Script); n > 6 {
			t.Errorf("%s has %d lines of shell", name, n)
		}
		if len(j.Before)+len(j.After) > 0 {
			t.Errorf("%s has shell before or after its script", name)
		}
		for _, line := range j.Script {
			if strings.ContainsAny(line, "\n;|&`") || strings.Contains(line, "$(") {
				t.Errorf("%s: more than one command: %s", name, line)
			}
			if strings.Contains(quoted.ReplaceAllString(line, ""), "$") {
				t.Errorf("%s: a variable without quotes: %s", name, line)
			}
		}
	}
}
