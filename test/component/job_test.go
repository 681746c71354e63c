package component

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keywords are those of a job that the templates use, with what GitLab takes for
// their values. Source: GitLab, lib/gitlab/ci/config/entry/ at 17.0.
var keywords = map[string]func(any) bool{
	"stage": isText,
	"image": isHash(map[string]func(any) bool{
		"name": isText, "entrypoint": isTexts,
		"docker": isHash(map[string]func(any) bool{"user": isText}), // of a user who overrides the job; since 16.8
	}),
	"rules":          isRules,
	"allow_failure":  isBoolean,
	"environment":    isEnvironment,
	"resource_group": isText,
	"interruptible":  isBoolean,
	"inherit":        isHash(map[string]func(any) bool{"default": isTexts}),
	"dependencies":   isTexts,
	"variables":      isVariables,
	"script":         isTexts,
	"artifacts": isHash(map[string]func(any) bool{
		"when":      isOneOf("always", "on_failure", "on_success"),
		"access":    isOneOf("all", "developer", "none"), // since 16.11
		"expose_as": isExposed,
		"paths":     isTexts,
		"reports":   isHash(map[string]func(any) bool{"junit": isText, "dotenv": isText, "annotations": isText}),
	}),
	"tags": isTexts, // of a user who overrides the job
}

// problems is what GitLab would not take in a job.
func problems(job any) []string {
	all, ok := job.(map[string]any)
	if !ok {
		return []string{"it is no hash"}
	}
	var wrong []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		switch good, known := keywords[key]; {
		case !known:
			wrong = append(wrong, key+" is not a keyword of a job that is expected here")
		case !good(all[key]):
			wrong = append(wrong, fmt.Sprintf("%s cannot be %v", key, all[key]))
		}
	}
	if all["script"] == nil {
		wrong = append(wrong, "config should implement the script:, run:, or trigger: keyword")
	}
	return wrong
}

func isText(v any) bool    { s, ok := v.(string); return ok && s != "" }
func isBoolean(v any) bool { _, ok := v.(bool); return ok }

func isTexts(v any) bool {
	list, ok := v.([]any)
	return ok && !slices.ContainsFunc(list, func(item any) bool { _, ok := item.(string); return !ok })
}

func isOneOf(words ...any) func(any) bool {
	return func(v any) bool { return slices.Contains(words, v) }
}

func isHash(fields map[string]func(any) bool) func(any) bool {
	return func(v any) bool {
		hash, ok := v.(map[string]any)
		for key, value := range hash {
			if good := fields[key]; good == nil || !good(value) {
				return false
			}
		}
		return ok && len(hash) > 0
	}
}

// Values that are not text are taken since GitLab 16.11. Source:
// gitlab-org/gitlab!146503.
func isVariables(v any) bool {
	hash, ok := v.(map[string]any)
	for name, value := range hash {
		switch value.(type) {
		case string, int, float64, bool:
		default:
			return false
		}
		if !regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`).MatchString(name) {
			return false
		}
	}
	return ok
}

func isRules(v any) bool {
	list, ok := v.([]any)
	good := isHash(map[string]func(any) bool{
		"if":            isText,
		"when":          isOneOf("always", "delayed", "manual", "never", "on_failure", "on_success"),
		"allow_failure": isBoolean,
		"changes":       isTexts,
	})
	return ok && len(list) > 0 && !slices.ContainsFunc(list, func(rule any) bool { return !good(rule) })
}

// environmentName is Gitlab::Regex.environment_name_regex.
var environmentName = regexp.MustCompile(`^[a-zA-Z0-9_/${}. -]+$`)

func isEnvironment(v any) bool {
	hash, _ := v.(map[string]any)
	name, _ := hash["name"].(string)
	return environmentName.MatchString(name) && name == strings.Trim(name, "/") &&
		isHash(map[string]func(any) bool{
			"name": isText, "url": isText, "action": isOneOf("access", "prepare", "start", "stop", "verify"),
		})(v)
}

// Source: GitLab, lib/gitlab/ci/config/entry/artifacts.rb, EXPOSE_AS_REGEX.
func isExposed(v any) bool {
	s, _ := v.(string)
	return len(s) <= 100 && regexp.MustCompile(`^\w[-\w ]*$`).MatchString(s)
}

// expandJob is the only job of a component, with its name.
func expandJob(t *testing.T, component string, inputs map[string]any) (name string, job map[string]any) {
	t.Helper()
	body, err := template(t, component).expand(inputs)
	if err != nil {
		t.Fatalf("%s: %v", component, err)
	}
	if len(body) != 1 {
		t.Fatalf("%s: %d keys beside the job: no global keywords, no jobs that could meet others", component, len(body)-1)
	}
	for name, node := range body {
		if wrong := problems(node); len(wrong) > 0 {
			t.Fatalf("%s: %s: %s", component, name, strings.Join(wrong, "; "))
		}
		return name, node.(map[string]any)
	}
	return "", nil
}

func TestJobs(t *testing.T) {
	t.Parallel()
	actions := map[string]string{"upgrade": "start", "plan": "prepare", "verify": "verify"}
	for _, component := range jobs {
		t.Run(component, func(t *testing.T) {
			t.Parallel()
			name, job := expandJob(t, component, map[string]any{
				"job_prefix": "eu.west-", "stage": "gateways", "image": "registry.example.com/x:1", "environment": "aigw/eu",
				"allow_failure": true, "report_dir": "reports/eu", "rules": []any{map[string]any{"when": "manual"}},
			})
			delete(job, "variables")
			if name != "eu.west-aigw-"+component {
				t.Errorf("the job is called %s", name)
			}
			want := map[string]any{
				"stage":          "gateways",
				"image":          map[string]any{"name": "registry.example.com/x:1", "entrypoint": []any{""}},
				"rules":          []any{map[string]any{"when": "manual"}},
				"allow_failure":  true,
				"environment":    map[string]any{"name": "aigw/eu", "url": "$AIGW_URL", "action": actions[component]},
				"resource_group": "aigw-ci/aigw/eu",
				"interruptible":  false,
				"inherit":        map[string]any{"default": []any{"tags"}},
				"dependencies":   []any{},
				"script":         []any{"aigw-ci " + component},
				"artifacts": map[string]any{
					"when":      "always",
					"access":    "developer",
					"expose_as": "AI Gateway " + component,
					"paths":     []any{"reports/eu/"},
					"reports": map[string]any{
						"junit": "reports/eu/junit.xml", "dotenv": "reports/eu/deploy.env", "annotations": "reports/eu/annotations.json",
					},
				},
			}
			if diff := cmp.Diff(want, job); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRulesByDefault(t *testing.T) {
	t.Parallel()
	schedule := map[string]any{"if": `$CI_PIPELINE_SOURCE == "schedule"`}
	mergeRequest := map[string]any{"if": `$CI_PIPELINE_SOURCE == "merge_request_event"`}
	never := map[string]any{"if": `$CI_PIPELINE_SOURCE == "merge_request_event"`, "when": "never"}
	byHand := map[string]any{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "when": "manual", "allow_failure": true}
	onDefault := map[string]any{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}
	want := map[string][]any{
		"upgrade": {never, schedule, byHand},
		"plan":    {mergeRequest},
		"verify":  {schedule, onDefault},
	}
	full := inputsOf(t, "full-pipeline")
	for _, component := range jobs {
		if diff := cmp.Diff(any(want[component]), inputsOf(t, component)["rules"].Default); diff != "" {
			t.Errorf("%s: %s", component, diff)
		}
		if diff := cmp.Diff(any(want[component]), full[component+"_rules"].Default); diff != "" {
			t.Errorf("full-pipeline: %s: %s", component, diff)
		}
	}
}

func TestProblemsAreFound(t *testing.T) {
	t.Parallel()
	for name, job := range map[string]any{
		"no job":       "text",
		"no script":    map[string]any{"stage": "test"},
		"wrong key":    map[string]any{"script": []any{"x"}, "artifact": 1},
		"wrong type":   map[string]any{"script": []any{"x"}, "interruptible": "false"},
		"no rules":     map[string]any{"script": []any{"x"}, "rules": []any{}},
		"wrong rule":   map[string]any{"script": []any{"x"}, "rules": []any{map[string]any{"if": true}}},
		"environment":  map[string]any{"script": []any{"x"}, "environment": map[string]any{"name": "a:b"}},
		"variable":     map[string]any{"script": []any{"x"}, "variables": map[string]any{"X": []any{"a"}}},
		"exposed name": map[string]any{"script": []any{"x"}, "artifacts": map[string]any{"expose_as": "a/b"}},
	} {
		if len(problems(job)) == 0 {
			t.Errorf("%s: no problem is found in %v", name, job)
		}
	}
}
