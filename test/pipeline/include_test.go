//go:build docker

package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIncludeByTagAndBySHA(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site()
	w.configure(w.include("upgrade", w.components.sha, s) +
		w.include("plan", w.components.tag, s) +
		w.include("verify", w.components.sha, s))
	for name, tt := range map[string]struct {
		kind kind
		want map[string]string
	}{
		"schedule":       {scheduled, map[string]string{"aigw-upgrade": "on_success", "aigw-verify": "on_success"}},
		"merge request":  {inMergeRequest, map[string]string{"aigw-plan": "on_success"}},
		"default branch": {onDefaultBranch, map[string]string{"aigw-upgrade": "manual", "aigw-verify": "on_success"}},
	} {
		if diff := cmp.Diff(tt.want, w.jobs(tt.kind)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	w.run(scheduled, 0, []string{"PASS aigw-upgrade"}, "aigw-upgrade")
	s.serves("self-hosted-v18.2.8-ee")

	// The components' main branch is broken: what ran was the release.
	w.configure(w.include("upgrade", "main", s))
	if exit, _, said := w.local("--list-json"); exit == 0 {
		t.Errorf("the branch main can be used:\n%s", said)
	}
}

// Two environments, each with a gateway of its own, from one component.
func TestIncludedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staging, prod := w.site(), w.site()
	// Jobs of gitlab-ci-local share a directory; a runner's have one each.
	w.configure(
		w.include("full-pipeline", w.components.tag, staging, "job_prefix: staging-", "environment: ai-gateway/staging", "report_dir: staging") +
			w.include("full-pipeline", w.components.tag, prod, "job_prefix: prod-", "environment: ai-gateway/production", "report_dir: prod"))
	w.run(scheduled, 0, []string{"PASS prod-aigw-upgrade", "PASS prod-aigw-verify", "PASS staging-aigw-upgrade", "PASS staging-aigw-verify"})
	for _, s := range []*site{staging, prod} {
		s.serves("self-hosted-v18.2.8-ee")
	}
	for range 2 {
		w.run(inMergeRequest, 0, []string{"PASS prod-aigw-plan", "PASS staging-aigw-plan"})
	}
	notes := w.estate.GitLab.Notes(projectID, mergeRequest)
	if len(notes) != 2 {
		t.Fatalf("%d comments", len(notes))
	}
	both := notes[0].Body + notes[1].Body
	for _, part := range []string{staging.name, prod.name, "`staging-aigw-plan`", "`prod-aigw-plan`"} {
		if !strings.Contains(both, part) {
			t.Errorf("no comment speaks of %q", part)
		}
	}
}

// hostile is text that a shell would act on, had it a chance to read it.
const hostile = "$(touch pwned) `touch pwned` ; touch pwned | touch pwned & ' touch pwned # \" && touch pwned"

func TestInputsArriveAsText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site()
	yaml := "|-\n        AIGW_ONE=" + hostile + "\n        AIGW_TWO=; touch pwned"
	w.configure(w.include("upgrade", w.components.tag, s, "gateway_environment: "+yaml))
	defer w.untouched()
	w.run(scheduled, 0, []string{"PASS aigw-upgrade"})
	environment := strings.Join(s.serves("self-hosted-v18.2.8-ee").Config.Env, "\n") + "\n"
	for _, entry := range []string{"AIGW_ONE=" + hostile, "AIGW_TWO=; touch pwned"} {
		if !strings.Contains(environment, entry+"\n") {
			t.Errorf("%q did not arrive:\n%s", entry, environment)
		}
	}
}

// Settings that cannot hold such a text are refused by the program, which has been
// given all of it.
func TestHostileInputsAreRefusedAsText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site()
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(hostile) + `"`
	var more []string
	names := []string{"gitlab_url", "gitlab_version", "image_tag", "image_platform", "gateway_url", "docker_network", "docker_restart", "docker_memory"}
	for _, name := range names {
		more = append(more, name+": "+quoted)
	}
	text := w.include("upgrade", w.components.tag, s, more...)
	text = strings.Replace(text, "      gateway_url: http://"+s.http+"\n", "", 1) // given twice otherwise
	w.configure(text)
	defer w.untouched()
	log := w.run(scheduled, 1, []string{"FAIL aigw-upgrade"})
	r := w.report("aigw-upgrade")
	if r.Outcome != "usage" || !strings.Contains(r.Error, "$(touch pwned) `touch pwned`") {
		t.Errorf("outcome %s: %s", r.Outcome, r.Error)
	}
	for _, name := range names {
		if variable := "AIGW_CI_" + strings.ToUpper(name) + " "; !strings.Contains(log, variable) {
			t.Errorf("%s was not refused", name)
		}
	}
}

// untouched fails the test when an input was run.
func (w *world) untouched() {
	w.Helper()
	for _, dir := range []string{w.project.dir, w.home} {
		_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if filepath.Base(path) == "pwned" {
				w.Errorf("an input was run: there is %s", path)
			}
			return err
		})
	}
}

// The check of every pipeline against GitLab's own schema is one that finds things.
func TestSchemaIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site()
	w.components.release("0.0.0-misspelt", func(text string) string {
		return strings.Replace(text, "\n  interruptible: false\n", "\n  interruptable: false\n", 1)
	})
	right := w.include("plan", w.components.tag, s)
	for name, tt := range map[string]struct {
		include, more, found string
	}{
		"right":               {right, "", ""},
		"a wrong key":         {right, "aigw-plan:\n  artifact: {}\n", "artifact"},
		"a wrong type":        {right, "aigw-plan:\n  interruptible: perhaps\n", "interruptible"},
		"wrong in plan":       {w.include("plan", "0.0.0-misspelt", s), "", "interruptable"},
		"wrong in upgrade":    {w.include("upgrade", "0.0.0-misspelt", s), "", "interruptable"},
		"wrong in an include": {w.include("full-pipeline", "0.0.0-misspelt", s), "", "interruptable"},
	} {
		w.configure(tt.include, tt.more)
		exit, _, said := w.local("--preview")
		switch {
		case tt.found == "" && (exit != 0 || !strings.Contains(said, "json schema validated")):
			t.Errorf("%s: exit status %d\n%s", name, exit, said)
		case tt.found != "" && (exit == 0 || !strings.Contains(said, "Invalid .gitlab-ci.yml configuration") || !strings.Contains(said, tt.found)):
			t.Errorf("%s: exit status %d\n%s", name, exit, said)
		}
	}
}
