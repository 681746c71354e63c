//go:build gitlab

package release

import (
	"net/http"
	"os"
	"testing"
	"time"

	"aigw-ci/internal/transport"
)

// In a pipeline of this project: GitLab made the jobs of every component.
func TestThisPipelinesJobs(t *testing.T) {
	options := transport.Options{Proxy: http.ProxyFromEnvironment}
	if file := os.Getenv("CI_SERVER_TLS_CA_FILE"); file != "" {
		ca, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		options.CAs = append(options.CAs, ca)
	}
	web, err := transport.New(options)
	if err != nil {
		t.Fatal(err)
	}
	address := os.Getenv("CI_API_V4_URL") + "/projects/" + os.Getenv("CI_PROJECT_ID") + "/pipelines/" + os.Getenv("CI_PIPELINE_ID")
	have, err := pipelineJobs(t.Context(), &http.Client{Transport: web, Timeout: time.Minute}, address, os.Getenv("CI_JOB_TOKEN"))
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range missing(componentJobs(), have) {
		t.Error(wrong)
	}
}
