package component

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/config"
)

// own are the inputs of a component that belong to the job, not to the program.
func own(component string) []string {
	if component != "full-pipeline" {
		return []string{"stage", "job_prefix", "image", "rules", "environment", "allow_failure"}
	}
	return []string{
		"plan_stage", "upgrade_stage", "verify_stage", "job_prefix", "image", "plan_rules", "upgrade_rules", "verify_rules",
		"environment", "allow_failure", "plan_gitlab_version",
	}
}

// settings are those that have an input: all but the secrets, since inputs are in
// the repository and in the pipeline's page.
func settings() []config.Setting {
	return slices.DeleteFunc(config.Catalogue(), func(s config.Setting) bool { return s.Secret })
}

// inputName is how a setting is spelled as an input.
func inputName(s config.Setting) string { return strings.ReplaceAll(s.Name, ".", "_") }

func variableOf(t *testing.T, input string) string {
	t.Helper()
	for _, s := range settings() {
		if inputName(s) == input {
			return s.Variable
		}
	}
	t.Fatalf("the input %s belongs to no setting", input)
	return ""
}

// Inputs and settings agree, both ways.
func TestInputsAreTheSettings(t *testing.T) {
	t.Parallel()
	types := map[config.Type]string{config.Boolean: "boolean", config.Number: "number"}
	for _, component := range components {
		specs := inputsOf(t, component)
		want := own(component)
		for _, s := range settings() {
			want = append(want, inputName(s))
			wantType := types[s.Type]
			if wantType == "" {
				wantType = "string"
			}
			if got := specs[inputName(s)]; got.Type != wantType {
				t.Errorf("%s: %s is a %s, want %s", component, inputName(s), got.Type, wantType)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(specs))); diff != "" {
			t.Errorf("%s: %s", component, diff)
		}
		for name, s := range specs {
			if s.Description == "" || s.Required {
				t.Errorf("%s: %s has no description or no default", component, name)
			}
		}
	}
}

// Each input sets the variable of its setting, and no variable is left over. A
// secret has neither.
func TestVariablesAreTheInputs(t *testing.T) {
	t.Parallel()
	want := make(map[string]any)
	for _, s := range settings() {
		want[s.Variable] = "$[[ inputs." + inputName(s) + " ]]"
	}
	for _, component := range jobs {
		job := template(t, component).body["$[[ inputs.job_prefix ]]aigw-"+component].(map[string]any)
		if diff := cmp.Diff(want, job["variables"]); diff != "" {
			t.Errorf("%s: %s", component, diff)
		}
	}
}

// environ is the environment of a component's job.
func environ(t *testing.T, component string, inputs map[string]any) []string {
	t.Helper()
	_, job := expandJob(t, component, inputs)
	list := []string{"CI_SERVER_URL=https://gitlab.example.com"}
	for name, value := range job["variables"].(map[string]any) {
		list = append(list, fmt.Sprintf("%s=%v", name, value))
	}
	return list
}

func load(environ []string, file string) (config.Settings, []string, error) {
	return config.Load(context.Background(), config.Sources{
		File:    file,
		Environ: environ,
		Open:    func(name string) (fs.File, error) { return os.Open(name) },
	})
}

// Inputs that are left alone change nothing: the program sees its own defaults.
func TestDefaultsAreThePrograms(t *testing.T) {
	t.Parallel()
	want, _, err := load([]string{"CI_SERVER_URL=https://gitlab.example.com"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range jobs {
		got, warnings, err := load(environ(t, component, nil), "")
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %q", component, err, warnings)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", component, diff)
		}
	}
}

// Inputs that are left alone also leave alone what a settings file says, as far as
// their type has a way to say nothing: a boolean and a number have none, and the
// directory of the reports is where GitLab looks for them.
func TestSettingsFileCounts(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"testdata/settings.yml", "testdata/kubernetes.yml"} {
		want, _, err := load([]string{"CI_SERVER_URL=https://gitlab.example.com"}, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, component := range jobs {
			got, _, err := load(environ(t, component, nil), file)
			if err != nil {
				t.Fatalf("%s: %v", component, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: %s", component, file, diff)
			}
		}
	}
	for _, s := range settings() {
		byDefault := inputsOf(t, "upgrade")[inputName(s)].Default
		if alwaysPassed := s.Type == config.Boolean || s.Type == config.Number || s.Name == "report.dir"; alwaysPassed == (byDefault == "") {
			t.Errorf("%s: the default is %q", inputName(s), byDefault)
		}
	}
}

// A value that an input takes is what the program gets.
func TestValuesArrive(t *testing.T) {
	t.Parallel()
	given := map[string]any{
		"gitlab_url": "$CI_SERVER_URL", "gateway_url": "https://gateway.example.com",
		"image_repository": "registry.example.com/mirror/model-gateway, docker.io/gitlab/model-gateway",
		"docker_ports":     "127.0.0.1:5052:5052\n127.0.0.1:50052:50052\n", "docker_memory": "4g",
		"gateway_environment": "AIGW_LOGGING__LEVEL=debug\nQUOTED='a b'\n", "rehearse": false, "verify_successes": 5,
		"verify_hold": "2m", "log_level": "debug", "report_dir": "reports/gateway",
	}
	// GitLab Runner expands variables in the values of variables.
	variables := environ(t, "upgrade", given)
	for i, v := range variables {
		variables[i] = strings.ReplaceAll(v, "=$CI_SERVER_URL", "=https://gitlab.example.com")
	}
	got, _, err := load(variables, "")
	if err != nil {
		t.Fatal(err)
	}
	direct := []string{"AIGW_CI_GITLAB_URL=https://gitlab.example.com"}
	for name, value := range given {
		if name != "gitlab_url" {
			direct = append(direct, fmt.Sprintf("%s=%v", variableOf(t, name), value))
		}
	}
	want, _, err := load(direct, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Rehearse || got.Verify.Successes != 5 || len(got.Docker.Ports) != 2 || len(got.Gateway.Environment) != 2 {
		t.Errorf("something got lost: %+v", got)
	}
}

// The settings of the other target arrive as well, a document of YAML as it is.
func TestValuesArriveForKubernetes(t *testing.T) {
	t.Parallel()
	given := map[string]any{
		"target": "kubernetes", "kubernetes_namespace": "duo", "kubernetes_context": "group/clusters:production",
		"kubernetes_chart_repository": "oci://registry.example.com/charts", "kubernetes_chart_version": "0.15.1",
		"kubernetes_values": "replicaCount: 2\nresources:\n  limits: {memory: 4Gi}\n", "verify_gitlab": "off",
	}
	got, warnings, err := load(environ(t, "upgrade", given), "")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	k := got.Kubernetes
	if got.Target != "kubernetes" || k.Namespace != "duo" || k.Context != given["kubernetes_context"] || got.Verify.GitLab != "off" ||
		k.Chart.Repository != given["kubernetes_chart_repository"] || k.Chart.Version != "0.15.1" || string(k.Inline) != given["kubernetes_values"] {
		t.Errorf("something got lost: %+v", got)
	}
}

// enumerations are the words that a setting takes, where it takes only some.
var enumerations = map[string][]string{
	"target":        {"docker", "kubernetes"},
	"verify.gitlab": {"auto", "required", "off"},
	"log.level":     {"debug", "info", "warn", "error"},
	"log.format":    {"text", "json"},
}

func TestEnumerations(t *testing.T) {
	t.Parallel()
	for _, s := range settings() {
		words := enumerations[s.Name]
		for _, word := range words {
			if _, _, err := load([]string{s.Variable + "=" + word, "AIGW_CI_GITLAB_TOKEN=glpat-1234567890"}, ""); err != nil {
				t.Errorf("%s: %s is refused: %v", s.Name, word, err)
			}
		}
		// The program names the words when it is given another one.
		_, _, err := load([]string{s.Variable + "=?"}, "")
		var wrong *config.Error
		if errors.As(err, &wrong) && strings.Contains(err.Error(), "is not known: it ") {
			if len(words) == 0 || !strings.Contains(err.Error(), " "+strings.Join(words, ", ")+"\n") {
				t.Errorf("%s: its words are not %q: %v", s.Name, words, err)
			}
		} else if len(words) > 0 {
			t.Errorf("%s: it takes other words than %q, too: %v", s.Name, words, err)
		}
	}
}
