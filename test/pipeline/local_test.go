//go:build docker

package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/test/program"
)

// kind is why a pipeline runs.
type kind []string

// What GitLab sets in a pipeline of that kind. A merge request pipeline has no
// CI_COMMIT_BRANCH (docs.gitlab.com/ci/variables/predefined_variables).
var (
	scheduled       = kind{"--variable", "CI_PIPELINE_SOURCE=schedule"}
	onDefaultBranch = kind{"--variable", "CI_PIPELINE_SOURCE=push"}
	inMergeRequest  = kind{
		"--variable", "CI_PIPELINE_SOURCE=merge_request_event", "--unset-variable", "CI_COMMIT_BRANCH",
		"--variable", "CI_MERGE_REQUEST_IID=" + strconv.Itoa(mergeRequest), "--variable", "CI_MERGE_REQUEST_PROJECT_ID=" + strconv.Itoa(projectID),
	}
)

// local runs gitlab-ci-local in the project. What it says is shown when the test fails.
func (w *world) local(args ...string) (exit int, stdout, all string) {
	w.Helper()
	w.saveVariables()
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "node", append([]string{shared.local}, args...)...)
	c.Dir = w.project.dir
	c.Env = []string{
		"PATH=" + filepath.Join(shared.dir, "bin") + ":" + os.Getenv("PATH"),
		"HOME=" + w.home, "USER=tester", "LANG=C.UTF-8", "NO_COLOR=1", "FORCE_COLOR=0",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GCL_IGNORE_PREDEFINED_VARS=CI_PIPELINE_SOURCE,CI_COMMIT_BRANCH",
	}
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	err := c.Run()
	all = complaints.String() + out.String()
	w.Cleanup(func() {
		if w.Failed() {
			w.Logf("gitlab-ci-local %s\n%s", strings.Join(args, " "), all)
		}
	})
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		w.Fatalf("gitlab-ci-local: %v", err)
	}
	return c.ProcessState.ExitCode(), out.String(), all
}

// jobs are the jobs of a pipeline of that kind: "on_success" for those that run by
// themselves, "manual" for those that are offered.
func (w *world) jobs(k kind) map[string]string {
	w.Helper()
	exit, stdout, _ := w.local(append([]string{"--list-json"}, k...)...)
	var list []struct{ Name, When string }
	if err := json.Unmarshal([]byte(stdout), &list); exit != 0 || err != nil {
		w.Fatalf("listing the jobs: exit status %d, %v", exit, err)
	}
	jobs := map[string]string{}
	for _, j := range list {
		if j.When != "never" {
			jobs[j.Name] = j.When
		}
	}
	return jobs
}

// run runs a pipeline of that kind, or the jobs that are named, on this machine. Its
// exit status must be this one, and these jobs must have run to this end: "PASS
// aigw-plan". It returns the log.
func (w *world) run(k kind, exit int, want []string, jobs ...string) string {
	w.Helper()
	got, _, log := w.local(slices.Concat([]string{"--force-shell-executor"}, k, jobs)...)
	var ended []string
	for _, m := range ending.FindAllStringSubmatch(log, -1) {
		ended = append(ended, m[1]+" "+m[2])
	}
	slices.Sort(ended)
	if diff := cmp.Diff(want, ended); diff != "" || got != exit {
		w.Fatalf("exit status %d, want %d; jobs (-want +got):\n%s", got, exit, diff)
	}
	return log
}

// ending is a line of the list with which gitlab-ci-local ends.
var ending = regexp.MustCompile(`(?m)^ (PASS|WARN|FAIL) +(\S+)`)

// artifact reads a file of a job's artifacts.
func (w *world) artifact(job, name string) string {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.project.dir, ".gitlab-ci-local", "artifacts", job, name))
	if err != nil {
		w.Fatal(err)
	}
	return string(data)
}

// report reads a job's report.json.
func (w *world) report(job string) (r program.Result) {
	w.Helper()
	if err := json.Unmarshal([]byte(w.artifact(job, "aigw-ci/report.json")), &r); err != nil {
		w.Fatal(err)
	}
	return r
}
