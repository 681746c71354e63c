//go:build docker

package pipeline

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/lab/gateway"
)

// installed is a world in which a schedule of the full pipeline has installed a
// gateway for GitLab 18.2.1.
func installed(t *testing.T) (*world, *site) {
	t.Helper()
	w := newWorld(t)
	s := w.site()
	w.configure(w.include("full-pipeline", w.components.tag, s))
	w.run(scheduled, 0, []string{"PASS aigw-upgrade", "PASS aigw-verify"})
	s.serves("self-hosted-v18.2.8-ee")
	return w, s
}

// smoke is a later job that uses what the upgrade reports.
const smoke = `
smoke:
  stage: .post
  needs: [aigw-upgrade]
  rules: [{if: $CI_PIPELINE_SOURCE == "schedule"}]
  script: ['echo "it is $AIGW_OUTCOME to $AIGW_VERSION at $AIGW_URL"']
`

func TestScheduleUpgradesByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site()
	w.configure(w.include("full-pipeline", w.components.tag, s), smoke)
	all := map[string]string{"aigw-upgrade": "on_success", "aigw-verify": "on_success", "smoke": "on_success"}
	if diff := cmp.Diff(all, w.jobs(scheduled)); diff != "" {
		t.Errorf("jobs of a schedule (-want +got):\n%s", diff)
	}
	for _, night := range []struct{ gitlab, version, outcome string }{
		{"18.2.1-ee", "18.2.8", "installed"},
		{"18.3.6-ee", "18.3.1", "upgraded"},
		{"18.3.6-ee", "18.3.1", "unchanged"},
	} {
		w.estate.SetVersion(night.gitlab)
		log := w.run(scheduled, 0, []string{"PASS aigw-upgrade", "PASS aigw-verify", "PASS smoke"})
		s.serves("self-hosted-v" + night.version + "-ee")
		if said := "it is " + night.outcome + " to " + night.version + " at http://" + s.http; !strings.Contains(log, said) {
			t.Errorf("no later job says %q", said)
		}
		if got := w.report("aigw-upgrade").Outcome; got != night.outcome {
			t.Errorf("outcome %s, want %s", got, night.outcome)
		}
	}
	for _, name := range []string{"junit.xml", "deploy.env", "annotations.json", "summary.md"} {
		if w.artifact("aigw-upgrade", "aigw-ci/"+name) == "" {
			t.Errorf("%s is empty", name)
		}
	}
}

func TestMergeRequestIsShownThePlan(t *testing.T) {
	t.Parallel()
	w, s := installed(t)
	if diff := cmp.Diff(map[string]string{"aigw-plan": "on_success"}, w.jobs(inMergeRequest)); diff != "" {
		t.Errorf("jobs of a merge request (-want +got):\n%s", diff)
	}
	before := s.id()
	var first int
	for _, step := range []struct{ planned, tag string }{
		{"", "self-hosted-v18.3.1-ee"},
		{"18.4.2-ee", "self-hosted-v18.4.1-ee"}, // not installed yet
		{"18.4.2-ee", "self-hosted-v18.4.1-ee"},
	} {
		w.estate.SetVersion("18.3.6-ee")
		w.configure(w.include("full-pipeline", w.components.tag, s, `plan_gitlab_version: "`+step.planned+`"`))
		w.run(inMergeRequest, 0, []string{"PASS aigw-plan"})
		notes := w.estate.GitLab.Notes(projectID, mergeRequest)
		if len(notes) != 1 {
			t.Fatalf("%d comments", len(notes))
		}
		if first == 0 {
			first = notes[0].ID
		}
		for _, part := range []string{"### AI Gateway: planned", step.tag, "`image`", "aigw-plan"} {
			if notes[0].ID != first || !strings.Contains(notes[0].Body, part) {
				t.Errorf("comment %d, first %d, without %q:\n%s", notes[0].ID, first, part, notes[0].Body)
			}
		}
	}
	s.serves("self-hosted-v18.2.8-ee")
	if s.id() != before {
		t.Error("planning changed the gateway")
	}
}

func TestMergeRequestWithoutATokenHasNoComment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site()
	w.configure(w.include("plan", w.components.tag, s))
	delete(w.variables, "AIGW_CI_GITLAB_TOKEN")
	w.variables["CI_SERVER_VERSION"] = "18.2.1-ee" // GitLab sets it; gitlab-ci-local does not
	w.run(inMergeRequest, 0, []string{"PASS aigw-plan"})
	if n := w.estate.GitLab.Log().Count("", "/api/"); n != 0 {
		t.Errorf("%d requests to an API that nothing was to be asked", n)
	}
	if s.id() != "" {
		t.Error("a plan made a gateway")
	}
}

func TestDefaultBranchVerifiesAndOffersTheUpgrade(t *testing.T) {
	t.Parallel()
	w, s := installed(t)
	if diff := cmp.Diff(map[string]string{"aigw-upgrade": "manual", "aigw-verify": "on_success"}, w.jobs(onDefaultBranch)); diff != "" {
		t.Errorf("jobs of the default branch (-want +got):\n%s", diff)
	}
	before := s.id()
	w.run(onDefaultBranch, 0, []string{"PASS aigw-verify"})

	// GitLab has gone on, and its gateway not: the pipeline says so and does nothing.
	w.estate.SetVersion("18.3.6-ee")
	log := w.run(onDefaultBranch, 1, []string{"FAIL aigw-verify"})
	if !strings.Contains(log, "gateway.digest") || s.id() != before {
		t.Errorf("it does not say what is wrong, or changed the gateway")
	}
	w.run(onDefaultBranch, 0, []string{"PASS aigw-upgrade"}, "aigw-upgrade") // by hand
	s.serves("self-hosted-v18.3.1-ee")
	w.run(onDefaultBranch, 0, []string{"PASS aigw-verify"})
}

func TestBrokenReleaseFailsThePipeline(t *testing.T) {
	t.Parallel()
	w, s := installed(t)
	before := s.id()
	if err := w.estate.Publish("self-hosted-v18.3.1-ee", gateway.CrashAtBoot); err != nil {
		t.Fatal(err)
	}
	w.estate.SetVersion("18.3.6-ee")
	log := w.run(scheduled, 1, []string{"FAIL aigw-upgrade"})
	s.serves("self-hosted-v18.2.8-ee")
	if s.id() != before {
		t.Error("it is not the old container that serves")
	}
	if !strings.Contains(log, "exit code 4") || w.report("aigw-upgrade").Outcome != "rejected" {
		t.Errorf("outcome %s", w.report("aigw-upgrade").Outcome)
	}
	if !strings.Contains(w.artifact("aigw-upgrade", "aigw-ci/summary.md"), "evidence/rehearsal/") {
		t.Error("the artifacts of the failed job hold no evidence")
	}
	if list, err := exec.Command("find", w.project.dir+"/.gitlab-ci-local/artifacts/aigw-upgrade/aigw-ci/evidence", "-type", "f").Output(); err != nil || len(list) == 0 {
		t.Errorf("evidence: %v %s", err, list)
	}
}
