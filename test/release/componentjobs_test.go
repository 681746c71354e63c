package release

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// made is a job as GitLab's API tells of it. Source: docs.gitlab.com/api/jobs,
// "List pipeline jobs".
type made struct {
	Name         string `json:"name"`
	Stage        string `json:"stage"`
	Status       string `json:"status"`
	AllowFailure bool   `json:"allow_failure"`
}

// pipelineJobs asks which jobs a pipeline has. The job token may do that for the
// pipelines of its project. The address is a pipeline's: ".../pipelines/17".
func pipelineJobs(ctx context.Context, client *http.Client, address, token string) ([]made, error) {
	var all []made
	for page := "1"; page != ""; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/jobs?per_page=100&page="+page, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("JOB-TOKEN", token)
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
		_ = res.Body.Close()
		if err != nil {
			return nil, err
		}
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("asking for the pipeline's jobs: %s", res.Status)
		}
		var some []made
		if err := json.Unmarshal(body, &some); err != nil {
			return nil, fmt.Errorf("reading the pipeline's jobs: %w", err)
		}
		all = append(all, some...)
		next := res.Header.Get("X-Next-Page")
		if number, err := strconv.Atoi(next); next != "" && (err != nil || number > 100) {
			return nil, fmt.Errorf("reading the pipeline's jobs: there is no page %q", next)
		}
		page = next
	}
	return all, nil
}

// componentJobs are the jobs that the components included by .gitlab-ci.yml make.
func componentJobs() []made {
	var jobs []made
	for _, prefix := range []string{"full-", "one-"} {
		for _, command := range []string{"plan", "upgrade", "verify"} {
			jobs = append(jobs, made{Name: prefix + "aigw-" + command, Stage: "components", Status: "manual", AllowFailure: true})
		}
	}
	return jobs
}

// missing is what of the wanted jobs a pipeline does not have, or has otherwise. Who
// ran one by hand meanwhile has changed its status, and nothing else.
func missing(want, have []made) []string {
	var wrong []string
	for _, w := range want {
		i := slices.IndexFunc(have, func(m made) bool { return m.Name == w.Name })
		switch {
		case i < 0:
			wrong = append(wrong, fmt.Sprintf("%s: GitLab made no such job", w.Name))
		case have[i].Stage != w.Stage || have[i].AllowFailure != w.AllowFailure:
			wrong = append(wrong, fmt.Sprintf("%s: GitLab made %+v, want %+v", w.Name, have[i], w))
		case have[i].Status == "created":
			wrong = append(wrong, fmt.Sprintf("%s: it would run by itself", w.Name))
		}
	}
	return wrong
}

func TestPipelineJobs(t *testing.T) {
	t.Parallel()
	want := componentJobs()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("JOB-TOKEN") != "token" || r.URL.Path != "/api/v4/projects/7/pipelines/17/jobs" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		page := want[:4]
		w.Header().Set("X-Next-Page", "2")
		if r.URL.Query().Get("page") == "2" {
			page = want[4:]
			w.Header().Set("X-Next-Page", "")
		}
		_ = json.NewEncoder(w).Encode(page) // the test sees what arrives
	}))
	t.Cleanup(server.Close)
	address := server.URL + "/api/v4/projects/7/pipelines/17"
	have, err := pipelineJobs(t.Context(), server.Client(), address, "token")
	if err != nil || len(missing(want, have)) > 0 {
		t.Errorf("%v, %v", err, missing(want, have))
	}
	if _, err := pipelineJobs(t.Context(), server.Client(), address, "other"); err == nil {
		t.Error("a token that is refused is no error")
	}
	have[0].Stage, have[1].Status, have = "test", "created", have[:5]
	got := missing(want, have)
	if len(got) != 3 {
		t.Errorf("a job in another stage, one that would run, and one that is not there: %q", got)
	}
}

// The jobs that are looked for are the ones that the included components make.
func TestComponentJobsAreIncluded(t *testing.T) {
	t.Parallel()
	var included []string
	for _, in := range readPipeline(t).Include {
		prefix := fmt.Sprint(in.Inputs["job_prefix"])
		name := regexp.MustCompile(`/([\w-]+)@`).FindStringSubmatch(in.Component)[1]
		if name == "full-pipeline" {
			for _, command := range []string{"plan", "upgrade", "verify"} {
				included = append(included, prefix+"aigw-"+command)
			}
			continue
		}
		included = append(included, prefix+"aigw-"+name)
	}
	var looked []string
	for _, m := range componentJobs() {
		looked = append(looked, m.Name)
	}
	slices.Sort(included)
	slices.Sort(looked)
	if !slices.Equal(included, looked) {
		t.Errorf("included are %q, looked for %q", included, looked)
	}
}
