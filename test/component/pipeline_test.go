package component

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func include(component string, inputs map[string]any) map[string]any {
	return map[string]any{"component": "$CI_SERVER_FQDN/group/aigw-ci/" + component + "@0.1.0", "inputs": inputs}
}

func TestIncludedTwice(t *testing.T) {
	t.Parallel()
	var includes []any
	var want []string
	for _, component := range components {
		for _, prefix := range []string{"", "staging-"} {
			if component == "full-pipeline" {
				prefix += "all-"
			}
			includes = append(includes, include(component, map[string]any{"job_prefix": prefix}))
			for _, job := range jobs {
				if component == job || component == "full-pipeline" {
					want = append(want, prefix+"aigw-"+job)
				}
			}
		}
	}
	got, err := pipeline(map[string]any{"include": includes})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Error(diff)
	}
	for name, job := range got {
		if wrong := problems(job); len(wrong) > 0 {
			t.Errorf("%s: %s", name, strings.Join(wrong, "; "))
		}
	}

	if _, err := pipeline(map[string]any{"include": []any{include("plan", nil), include("plan", nil)}}); err == nil {
		t.Error("the same name twice is not seen")
	}
}

// The jobs of the full pipeline are those of the components, each with its own
// stage, and a planned version goes to the plan alone.
func TestFullPipeline(t *testing.T) {
	t.Parallel()
	common := map[string]any{"gateway_url": "https://gateway.example.com", "environment": "aigw", "rehearse": false, "docker_ports": "5052:5052\n50052:50052"}
	given := maps.Clone(common)
	maps.Copy(given, map[string]any{"plan_gitlab_version": "18.5.0-ee", "gitlab_version": "18.4.1-ee"})
	got, err := pipeline(map[string]any{"include": []any{include("full-pipeline", given)}})
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]any)
	for component, own := range map[string]map[string]any{
		"plan":    {"gitlab_version": "18.5.0-ee"},
		"upgrade": {"gitlab_version": "18.4.1-ee"},
		"verify":  {"gitlab_version": "18.4.1-ee", "stage": ".post"},
	} {
		maps.Copy(own, common)
		name, job := expandJob(t, component, own)
		want[name] = job
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A user overrides what has no input by naming the job again.
func TestOverriddenJob(t *testing.T) {
	t.Parallel()
	got, err := pipeline(map[string]any{
		"include":      []any{include("upgrade", map[string]any{"log_level": "debug"})},
		"aigw-upgrade": map[string]any{"tags": []any{"docker"}, "variables": map[string]any{"DOCKER_HOST": "ssh://a.example.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	variables := got["aigw-upgrade"].(map[string]any)["variables"].(map[string]any)
	if variables["DOCKER_HOST"] != "ssh://a.example.com" || variables["AIGW_CI_LOG_LEVEL"] != "debug" {
		t.Errorf("the variables are %v", variables)
	}
	if wrong := problems(got["aigw-upgrade"]); len(wrong) > 0 {
		t.Error(wrong)
	}
}
