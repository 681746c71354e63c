//go:build docker

package pipeline

import (
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/wire"
)

// world is one test's: a GitLab with the components in it, a registry, and a user's
// project. All that is made on the engine is removed with the test, by name.
type world struct {
	testing.TB
	estate     *lab.Estate
	url        string // of the GitLab that runs the pipelines, which jobs and containers reach
	components components
	project    repository
	home       string            // of the user who runs gitlab-ci-local
	variables  map[string]string // the project's CI/CD variables
	gateways   []string          // names of containers
}

// newWorld starts a GitLab 18.2.1. Its address is one that containers reach too, and
// the same for git, for the API and for the jobs.
func newWorld(t testing.TB) *world {
	t.Helper()
	estate, err := lab.Start(t.Context(), lab.Options{Binary: shared.gateway})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, estate: estate, home: t.TempDir()}
	t.Cleanup(w.end)
	estate.GitLab.AddMergeRequest(projectID, mergeRequest)

	repositories := t.TempDir()
	listeners, err := wire.Listen(t.Context(), net.JoinHostPort(shared.bridge, "0"))
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + listeners[0].Addr().String()
	server := wire.Serve(withGit(repositories, estate.GitLab), nil, listeners...)
	t.Cleanup(func() { _ = server.Close() })
	w.components = newComponents(t, filepath.Join(repositories, "components", "aigw-ci.git"))

	w.project = newRepository(t, filepath.Join(t.TempDir(), "app"))
	w.project.git("remote", "add", "origin", w.url+"/acme/app.git")
	w.variables = map[string]string{
		"DOCKER_HOST":              shared.engine.host,
		"AIGW_CI_GITLAB_TOKEN":     gitlab.TokenAPI,
		"AIGW_CI_IMAGE_REPOSITORY": estate.RegistryHost + "/" + lab.DockerHub,
		"AIGW_CI_VERIFY_TIMEOUT":   "60s",
		"AIGW_CI_VERIFY_HOLD":      "1s",
	}
	return w
}

func (w *world) end() {
	if err := shared.engine.tidy(w.estate.RegistryHost, w.gateways...); err != nil {
		w.Errorf("cleaning up: %v", err)
	}
	if err := w.estate.Close(); err != nil {
		w.Error(err)
	}
}

// site is a gateway as a user's project describes it, there or not yet.
type site struct {
	testing.TB
	name       string // of the container
	http, grpc string // host:port, as users and GitLab know it
}

func (w *world) site() *site {
	w.Helper()
	s := &site{
		TB: w.TB, name: "aigw-pipeline-" + strings.ToLower(rand.Text()[:8]),
		http: freeAddress(w), grpc: freeAddress(w),
	}
	w.gateways = append(w.gateways, s.name)
	return s
}

// id is the container's, "" while there is none.
func (s *site) id() string {
	s.Helper()
	if c := shared.engine.inspect(s, s.name); c != nil {
		return c.ID
	}
	return ""
}

// serves fails the test when the gateway's container does not run this release, or
// its users are not served.
func (s *site) serves(tag string) *container {
	s.Helper()
	c := shared.engine.inspect(s, s.name)
	if c == nil {
		s.Fatalf("there is no container %s", s.name)
	}
	if !strings.Contains(c.Config.Image, ":"+tag+"@") || c.State.Status != "running" {
		s.Errorf("%s is %s and runs %s, not %s", s.name, c.State.Status, c.Config.Image, tag)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Post("http://"+s.http+"/v2/code/completions", "application/json", strings.NewReader(`{"prompt_version":1}`))
	if err != nil {
		s.Fatalf("users of %s are not served: %v", s.name, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized { // they hold no token, and a gateway says so
		s.Errorf("users of %s are told %s", s.name, answer.Status)
	}
	return c
}

var ports atomic.Int32

// freeAddress hands out ports from below the range that the kernel chooses from, so
// that no connection happens to take one before the engine does.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := net.JoinHostPort(shared.bridge, strconv.Itoa(10000+(os.Getpid()+int(ports.Add(1)))%10000))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port from 10000 to 20000")
	return ""
}
