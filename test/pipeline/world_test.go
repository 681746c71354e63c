//go:build docker

package pipeline

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/wire"
	"aigw-ci/test/crowd"
	"aigw-ci/test/port"
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
		"DOCKER_HOST":              shared.engine.Host(),
		"AIGW_CI_GITLAB_TOKEN":     gitlab.TokenAPI,
		"AIGW_CI_IMAGE_REPOSITORY": estate.RegistryHost + "/" + lab.DockerHub,
		"AIGW_CI_VERIFY_TIMEOUT":   "60s",
		"AIGW_CI_VERIFY_HOLD":      "1s",
	}
	return w
}

func (w *world) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	check := func(err error) {
		if err != nil {
			w.Errorf("cleaning up: %v", err)
		}
	}
	for _, name := range w.gateways {
		check(shared.engine.RemoveGateway(ctx, name))
	}
	check(shared.engine.RemoveImages(ctx, w.estate.RegistryHost))
	check(w.estate.Close())
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
	if c := s.container(); c != nil {
		return c.ID
	}
	return ""
}

// container is the gateway's; nil while there is none.
func (s *site) container() *dockerd.Container {
	s.Helper()
	c, err := shared.engine.Find(s.Context(), s.name)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// serves fails the test when the gateway's container does not run this release, or
// its users are not served.
func (s *site) serves(tag string) *dockerd.Container {
	s.Helper()
	c := s.container()
	if c == nil {
		s.Fatalf("there is no container %s", s.name)
	}
	if !strings.Contains(c.Config.Image, ":"+tag+"@") || c.State.Status != "running" {
		s.Errorf("%s is %s and runs %s, not %s", s.name, c.State.Status, c.Config.Image, tag)
	}
	if problem := crowd.Ask(s.Context(), http.MethodPost, "http://"+s.http); problem != "" {
		s.Errorf("users of %s are not served: %s", s.name, problem)
	}
	return c
}

// freeAddress is one that nothing listens on, and that containers reach.
func freeAddress(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort(shared.bridge, port.Free(t, shared.bridge, 10000))
}
