package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/engine"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/wire"
)

// mergeRequestJob is a job of merge request !7, in a world of its own.
type mergeRequestJob struct {
	estate  *lab.Estate
	engine  *engine.Engine
	reports string
	environ []string
}

func newMergeRequestJob(t *testing.T) *mergeRequestJob {
	t.Helper()
	estate, err := lab.Start(t.Context(), lab.Options{HashTags: 10, OwnRealm: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = estate.Close() })
	estate.GitLab.AddMergeRequest(12, 7)
	e, err := engine.New(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	return &mergeRequestJob{estate: estate, engine: e, reports: filepath.Join(t.TempDir(), "reports"), environ: []string{
		"DOCKER_HOST=" + e.Host(),
		"AIGW_CI_GITLAB_TOKEN=" + gitlab.TokenAPI,
		"AIGW_CI_IMAGE_REPOSITORY=" + estate.Repository(),
		"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=https://gitlab.example.com",
		"CI_SERVER_URL=" + estate.GitLabURL,
		"CI_PROJECT_ID=99", // a fork, whose pipeline this is
		"CI_MERGE_REQUEST_PROJECT_ID=12",
		"CI_MERGE_REQUEST_IID=7",
		"CI_JOB_NAME=staging-aigw-plan",
	}}
}

// run runs a command in the job, and returns its exit code and its log.
func (j *mergeRequestJob) run(t *testing.T, command string, environ ...string) (int, string) {
	t.Helper()
	var out, log bytes.Buffer
	code := run(t.Context(), []string{command, "--report-dir", j.reports}, system{
		environ: append(j.environ, environ...), stdout: &out, stderr: &log,
	})
	for _, secret := range []string{gitlab.TokenAPI, gitlab.TokenReadAPI} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows a token:\n%s", &log)
		}
	}
	return code, log.String()
}

func (j *mergeRequestJob) comments() []gitlab.Note { return j.estate.GitLab.Notes(12, 7) }

func TestPlanKeepsOneComment(t *testing.T) {
	t.Parallel()
	j := newMergeRequestJob(t)
	const mark = "<!-- aigw-ci plan: staging-aigw-plan docker/gitlab-aigw -->\n\n"
	for _, step := range []struct{ version, tag, did string }{
		{"18.2.1-ee", "self-hosted-v18.2.8-ee", "comment=added"},
		{"18.3.6-ee", "self-hosted-v18.3.1-ee", "comment=changed"},
	} {
		j.estate.SetVersion(step.version)
		code, log := j.run(t, "plan")
		if code != 0 || !strings.Contains(log, `the plan is a comment on the merge request merge_request=!7 `+step.did) {
			t.Fatalf("exit code %d\n%s", code, log)
		}
		comments := j.comments()
		if len(comments) != 1 {
			t.Fatalf("%d comments", len(comments))
		}
		summary, err := os.ReadFile(filepath.Join(j.reports, "summary.md"))
		if err != nil {
			t.Fatal(err)
		}
		if want := mark + string(summary) + "\nPlanned by the job `staging-aigw-plan`.\n"; comments[0].Body != want || !strings.Contains(want, step.tag) {
			t.Errorf("comment\n%s\nwant\n%s", comments[0].Body, want)
		}
		if last := log[strings.LastIndex(log, "the plan is a comment"):]; !strings.Contains(last, "Nothing was changed") {
			t.Errorf("the verdict does not come last:\n%s", log)
		}
	}

	// Another job's gateway, with a container of the same name on another machine.
	if code, log := j.run(t, "plan", "CI_JOB_NAME=prod-aigw-plan"); code != 0 || len(j.comments()) != 2 {
		t.Errorf("exit code %d, %d comments\n%s", code, len(j.comments()), log)
	}
}

// A plan that comes to nothing is what the merge request is for.
func TestPlanWithoutAnImageIsAComment(t *testing.T) {
	t.Parallel()
	j := newMergeRequestJob(t)
	code, log := j.run(t, "plan", "AIGW_CI_GITLAB_VERSION=18.99.0-ee")
	comments := j.comments()
	if code != 3 || len(comments) != 1 || !strings.Contains(comments[0].Body, "### AI Gateway: no image") {
		t.Errorf("exit code %d, comments %v\n%s", code, comments, log)
	}
}

func TestPlanLeavesNoComment(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		command string
		environ []string
		fault   wire.Fault
		code    int
		said    string // in the log; "" is not a word about comments
		asked   bool   // GitLab, about comments
	}{
		"no token":         {command: "plan", environ: []string{"AIGW_CI_GITLAB_TOKEN=", "CI_SERVER_VERSION=18.2.1-ee"}},
		"no merge request": {command: "plan", environ: []string{"CI_MERGE_REQUEST_IID="}},
		"not a plan":       {command: "verify", code: 1},
		"wrong settings":   {command: "plan", environ: []string{"AIGW_CI_VERIFY_HOLD=soon"}, code: 2},
		"another instance": {command: "plan", environ: []string{"AIGW_CI_GITLAB_URL=ESTATE", "CI_SERVER_URL=https://gitlab.example.com"},
			said: "the merge request is on another"},
		"read_api": {command: "plan", environ: []string{"AIGW_CI_GITLAB_TOKEN=" + gitlab.TokenReadAPI},
			said: "nothing else needs it; for the comment, give gitlab.token a token with scope api", asked: true},
		"maintenance": {command: "plan", fault: gitlab.Maintenance().On("POST", ""),
			said: "GitLab is in maintenance mode", asked: true},
		"a fork's own number": {command: "plan", environ: []string{"CI_MERGE_REQUEST_PROJECT_ID="},
			said: "sees no such merge request", asked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newMergeRequestJob(t)
			if tt.fault.Serve != nil {
				j.estate.GitLab.SetFaults(tt.fault)
			}
			for i, e := range tt.environ {
				tt.environ[i] = strings.Replace(e, "ESTATE", j.estate.GitLabURL, 1)
			}
			code, log := j.run(t, tt.command, tt.environ...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d\n%s", code, tt.code, log)
			}
			if !strings.Contains(log, tt.said) || strings.Contains(log, "comment") != (tt.said != "") {
				t.Errorf("want %q in the log:\n%s", tt.said, log)
			}
			if len(j.comments()) != 0 || (j.estate.GitLab.Log().Count("", "/notes") > 0) != tt.asked {
				t.Errorf("%d comments", len(j.comments()))
			}
		})
	}
}

func TestNothingIsSaidWhereNothingCouldBeWritten(t *testing.T) {
	t.Parallel()
	j := newMergeRequestJob(t)
	if err := os.WriteFile(j.reports, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, log := j.run(t, "plan"); code != 2 || len(j.comments()) != 0 {
		t.Errorf("exit code %d, %d comments\n%s", code, len(j.comments()), log)
	}
}
