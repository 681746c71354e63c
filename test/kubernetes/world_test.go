//go:build kubernetes

package kubernetes

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/chart"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	"aigw-ci/internal/lab/wire"
	"aigw-ci/test/program"
)

// channel is the path of a chart repository on GitLab.
const channel = "/api/v4/projects/gitlab-org%2Fcharts%2Fai-gateway-helm-chart/packages/helm/devel"

// release is the name that the documentation gives a Helm release, and with it the
// gateway's Deployment and Service.
const release = "ai-gateway"

// world is one test's: an estate, charts, a namespace, and settings. All it makes in
// the cluster is in the namespace, and goes with it.
type world struct {
	testing.TB
	estate    *lab.Estate
	charts    *chart.Repository
	chartsURL string // of charts
	chartsOCI string // the same charts, in the estate's registry
	namespace string
	home      string // of programs that are started
	published map[string]image.Options
	settings  map[string]string // the program's environment
}

// newWorld starts an estate whose GitLab is 18.2.1, and makes a namespace.
func newWorld(t testing.TB) *world { return newWorldWith(t, lab.Options{}) }

func newWorldWith(t testing.TB, o lab.Options) *world {
	t.Helper()
	o.ExtraAddrs, o.Binary = []string{shared.host}, shared.gateway
	estate, err := lab.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, estate: estate, home: t.TempDir(), published: map[string]image.Options{}, namespace: "aigw-test-" + strings.ToLower(rand.Text()[:8])}
	t.Cleanup(w.end)
	w.mirror()
	w.serveCharts()
	w.kubectl("create", "namespace", w.namespace)
	w.settings = map[string]string{
		"HOME": w.home, "PATH": os.Getenv("PATH"), "USER": "tester",
		"KUBECONFIG":                          shared.kubeconfig,
		"AIGW_CI_TARGET":                      "kubernetes",
		"AIGW_CI_KUBERNETES_NAMESPACE":        w.namespace,
		"AIGW_CI_KUBERNETES_CHART_REPOSITORY": w.chartsURL,
		"AIGW_CI_GITLAB_URL":                  estate.GitLabURLAt(shared.host),
		"AIGW_CI_GITLAB_TOKEN":                gitlab.TokenReadAPI,
		"AIGW_CI_IMAGE_REPOSITORY":            w.repository(),
		"AIGW_CI_VERIFY_TIMEOUT":              "60s",
		"AIGW_CI_VERIFY_HOLD":                 "2s",
		"AIGW_CI_VERIFY_SUCCESSES":            "2",
	}
	return w
}

// repository is where images are, for the program and for pods.
func (w *world) repository() string { return w.estate.RegistryHost + "/" + lab.DockerHub }

// mirror tells the node's containerd that the estate's registry is on this machine,
// under both of its names. It looks at every pull.
// Source: github.com/containerd/containerd, docs/hosts.md.
func (w *world) mirror() {
	w.Helper()
	_, port, err := net.SplitHostPort(w.estate.RegistryHost)
	if err != nil {
		w.Fatal(err)
	}
	here := net.JoinHostPort(shared.host, port)
	text := fmt.Sprintf("server = \"http://%[1]s\"\n\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", here)
	for _, name := range []string{here, w.estate.RegistryHost} {
		dir := filepath.Join(shared.certs, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			w.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(text), 0o644); err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
}

// serveCharts publishes a chart of each kind, in a repository and in the registry.
func (w *world) serveCharts() {
	w.Helper()
	w.charts = chart.NewRepository(chart.RepositoryOptions{})
	for _, o := range []chart.Options{
		{Version: "0.5.0", AppVersion: "self-hosted-v18.2.0-ee"},
		{Version: "0.15.1", AppVersion: "self-hosted-v19.2.0-ee"},
	} {
		if err := errors.Join(w.charts.Add(o), chart.Push(w.estate.Registry, "charts/"+chart.Name, o)); err != nil {
			w.Fatal(err)
		}
	}
	w.chartsOCI = "oci://" + w.estate.RegistryHost + "/charts"
	listeners, err := wire.Listen(w.Context(), "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	server := wire.Serve(w.charts, nil, listeners...)
	w.Cleanup(func() { _ = server.Close() })
	w.chartsURL = "http://" + listeners[0].Addr().String() + channel
}

// publish releases a gateway.
func (w *world) publish(tag string, mode gateway.Mode) {
	w.Helper()
	w.release(image.Options{Tag: tag, Mode: mode, After: 2 * time.Second})
}

// release is publish with everything that an image can have.
func (w *world) release(o image.Options) {
	w.Helper()
	if err := w.estate.PublishImage(o); err != nil {
		w.Fatal(err)
	}
	w.published[o.Tag] = o
}

// digest is that of a tag's image. It is made when nobody asked for it before.
func (w *world) digest(tag string) string {
	w.Helper()
	o := w.published[tag]
	o.Tag, o.Binary = tag, shared.gateway
	built, err := image.Build(o)
	if err != nil {
		w.Fatal(err)
	}
	digest, err := built.Digest()
	if err != nil {
		w.Fatal(err)
	}
	if err := w.estate.Registry.Push(lab.DockerHub, tag, built); err != nil {
		w.Fatal(err)
	}
	return digest.String()
}

// start starts the program with some more settings, "NAME=value".
func (w *world) start(command string, more ...string) *program.Job {
	w.Helper()
	return w.startProgram(shared.program, command, more...)
}

func (w *world) startProgram(path, command string, more ...string) *program.Job {
	w.Helper()
	return program.Start(w, path, command, w.settings, more...)
}

// run runs the program to its end, which must be this exit code and outcome.
func (w *world) run(command string, exit int, outcome string, more ...string) program.Result {
	w.Helper()
	return w.start(command, more...).Expect(exit, outcome)
}

// end removes the namespace, without waiting for the last of its pods, and the estate.
// What it shows of a test that failed is what a person would look at first.
func (w *world) end() {
	if w.Failed() {
		for _, look := range [][]string{{"get", "all"}, {"get", "events", "--sort-by=.lastTimestamp"}} {
			if said, err := w.try(shared.node, append([]string{"kubectl", "--namespace", w.namespace}, look...)...); err == nil {
				w.Logf("kubectl %s:\n%s", strings.Join(look, " "), said)
			}
		}
	}
	if said, err := w.try(shared.node, "kubectl", "delete", "namespace", w.namespace, "--ignore-not-found", "--wait=false"); err != nil {
		w.Errorf("cleaning up: %v\n%s", err, said)
	}
	if err := w.estate.Close(); err != nil {
		w.Errorf("cleaning up: %v", err)
	}
}
