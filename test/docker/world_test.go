//go:build docker

package docker

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
	"aigw-ci/test/port"
	"aigw-ci/test/program"
)

// world is one test's: an estate, a gateway's name and ports, and settings. All it
// makes on the engine is removed with the test, by name.
type world struct {
	testing.TB
	*engine
	estate   *lab.Estate
	suffix   string // random, in the name of everything
	name     string // of the gateway's container
	port     string // of the gateway, on loopback
	grpc     string
	settings map[string]string // the program's environment
	undo     []func(context.Context) error
}

// newWorld starts an estate whose GitLab is 18.2.1. Its gateway publishes its ports
// on loopback.
func newWorld(t testing.TB) *world { return newWorldWith(t, lab.Options{}) }

func newWorldWith(t testing.TB, o lab.Options) *world {
	t.Helper()
	o.ExtraAddrs, o.Binary = []string{shared.bridge}, shared.gateway
	estate, err := lab.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, engine: shared.engine, estate: estate, suffix: strings.ToLower(rand.Text()[:8]), port: freePort(t), grpc: freePort(t)}
	w.name = "aigw-test-" + w.suffix
	home := t.TempDir()
	w.settings = map[string]string{
		"HOME": home, "PATH": os.Getenv("PATH"), "USER": "tester",
		"DOCKER_HOST":              w.Host(),
		"AIGW_CI_GITLAB_URL":       estate.GitLabURLAt(shared.bridge),
		"AIGW_CI_GITLAB_TOKEN":     gitlab.TokenReadAPI,
		"AIGW_CI_IMAGE_REPOSITORY": estate.RegistryHost + "/" + lab.DockerHub,
		"AIGW_CI_DOCKER_CONTAINER": w.name,
		"AIGW_CI_DOCKER_PORTS":     "127.0.0.1:" + w.port + ":5052,127.0.0.1:" + w.grpc + ":50052",
		"AIGW_CI_VERIFY_TIMEOUT":   "60s",
		"AIGW_CI_VERIFY_HOLD":      "2s",
		"AIGW_CI_VERIFY_SUCCESSES": "2",
	}
	t.Cleanup(w.end)
	return w
}

// freePort is a port that nothing on this machine listens on.
func freePort(t testing.TB) string {
	t.Helper()
	return port.Free(t, "0.0.0.0", 20000)
}

// url is the gateway's address for its users.
func (w *world) url() string { return "http://127.0.0.1:" + w.port }

// publish releases a gateway.
func (w *world) publish(tag string, mode gateway.Mode) {
	w.Helper()
	w.release(image.Options{Tag: tag, Mode: mode, After: 2 * time.Second})
}

func (w *world) release(o image.Options) {
	w.Helper()
	if err := w.estate.PublishImage(o); err != nil {
		w.Fatal(err)
	}
}

// start starts the program with some more settings, "NAME=value".
func (w *world) start(command string, more ...string) *program.Job {
	w.Helper()
	return program.Start(w, shared.program, command, w.settings, more...)
}

// run runs the program to its end, which must be this exit code and outcome.
func (w *world) run(command string, exit int, outcome string, more ...string) program.Result {
	w.Helper()
	return w.start(command, more...).Expect(exit, outcome)
}

// install makes the gateway for GitLab 18.2.1, and returns its container.
func (w *world) install() *dockerd.Container {
	w.Helper()
	w.run("upgrade", 0, "installed")
	return w.inspect(w, w.name)
}

// serves reports which release the gateway's container runs, and fails the test when
// that is not tag, or users are not served.
func (w *world) serves(tag string) *dockerd.Container {
	w.Helper()
	c := w.inspect(w, w.name)
	if !strings.Contains(c.Config.Image, ":"+tag+"@") {
		w.Errorf("%s runs %s, not %s", w.name, c.Config.Image, tag)
	}
	if c.State.Status != "running" || c.RestartCount != 0 {
		w.Errorf("%s is %s, with %d restarts", w.name, c.State.Status, c.RestartCount)
	}
	if problem := crowd.Ask(w.Context(), http.MethodPost, w.url()); problem != "" {
		w.Errorf("users of %s are not served: %s", w.url(), problem)
	}
	return c
}

// alone fails the test when anything of the program but the gateway itself is there:
// rehearsals, the previous container, locks, helpers.
func (w *world) alone() {
	w.Helper()
	var others []string
	for range 30 { // a killed run's helper needs a moment to end
		list, err := w.Containers(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		others = nil
		for _, l := range list {
			target := l.Labels["aigw-ci.target"]
			mine := l.Belongs(w.name) || target == w.name || strings.HasPrefix(target, w.name+".")
			if mine && !slices.Contains(l.Names, "/"+w.name) {
				others = append(others, fmt.Sprintf("%v", l.Names))
			}
		}
		if len(others) == 0 {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	w.Errorf("left beside %s: %s", w.name, strings.Join(others, " "))
}

// atEnd does something when the test is over, before the estate is closed; the last
// one first.
func (w *world) atEnd(do func(context.Context) error) { w.undo = append(w.undo, do) }

// end removes the gateway and its family, and the images of the estate's registry.
func (w *world) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	check := func(err error) {
		if err != nil && !dockerd.IsMissing(err) {
			w.Errorf("cleaning up: %v", err)
		}
	}
	check(w.RemoveGateway(ctx, w.name))
	for _, do := range slices.Backward(w.undo) {
		check(do(ctx))
	}
	check(w.RemoveImages(ctx, w.estate.RegistryHost))
	check(w.estate.Close())
}
