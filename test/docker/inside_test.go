//go:build docker

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/test/program"
)

// A job of a Docker executor runs in a container on the gateway's own engine, with
// the engine's socket mounted, and on a network of its own: the addresses of
// containers on other networks lead nowhere from there.
func TestRoadFromInside(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ host, via string }{
		"published":   {"0.0.0.0", "published port of the host this container is on"},
		"on loopback": {"127.0.0.1", "relay through the engine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldWith(t, lab.Options{OwnRealm: true}) // with one port to forward
			w.settings["AIGW_CI_DOCKER_PORTS"] = test.host + ":" + w.port + ":5052," + test.host + ":" + w.grpc + ":50052"
			job := newInside(w)
			job.run("upgrade", 0, "installed")
			w.estate.SetVersion("18.3.6-ee")
			r := job.run("upgrade", 0, "upgraded")
			w.serves(tag183)
			for stage, via := range map[string]string{"rehearsal": "relay through the engine", "live": test.via} {
				for _, id := range []string{"gateway.healthz", "gateway.auth", "gateway.gitlab", "gateway.stable"} {
					c := r.Check(id, stage)
					if !c.Good() || id == "gateway.healthz" && !strings.Contains(c.Detail, via) {
						t.Errorf("%s of the %s: %s, %s; want it by %q", id, stage, c.Verdict, c.Detail, via)
					}
				}
			}
			w.alone()
		})
	}
}

// inside runs the program in containers: an image with this one file in it.
type inside struct {
	*world
	image   string
	network string // the network namespace that the jobs run in
}

// newInside makes the place. The registry has to have the same name for the engine
// and for the job, and engines trust plain HTTP on loopback only: so a forwarder in
// the job's network makes the registry appear there too.
func newInside(w *world) *inside {
	w.Helper()
	i := &inside{world: w, image: w.importImage("job", programTree(w, map[string]string{"/aigw-ci": shared.program}))}
	apart, _ := w.network("job")
	_, port, err := net.SplitHostPort(w.estate.RegistryHost)
	if err != nil {
		w.Fatal(err)
	}
	peer := w.dockerRun("peer-"+w.suffix, object{
		"Image":      w.importImage("peer", programTree(w, map[string]string{"/peer": shared.peer})),
		"Cmd":        []string{"/peer", "forward", port, shared.bridge + ":" + port},
		"HostConfig": object{"NetworkMode": apart},
	})
	i.network = "container:" + peer.ID
	return i
}

// programTree is a file tree with nothing but programs.
func programTree(w *world, programs map[string]string) *bytes.Buffer {
	w.Helper()
	var tree bytes.Buffer
	archive := tar.NewWriter(&tree)
	for name, from := range programs {
		data, err := os.ReadFile(from)
		if err != nil {
			w.Fatal(err)
		}
		put(w, archive, name, data)
	}
	if err := archive.Close(); err != nil {
		w.Fatal(err)
	}
	return &tree
}

// run runs the program to its end, which must be this exit code and outcome.
func (i *inside) run(command string, exit int, outcome string) program.Result {
	i.Helper()
	env := program.Environment(program.With(i.settings, "HOME=/", "DOCKER_HOST=", "AIGW_CI_REPORT_DIR=/report"))
	var made dockerd.Listed
	i.must(i, http.MethodPost, "/containers/create?name="+url.QueryEscape("job-"+i.suffix+"-"+outcome), object{
		"Image": i.image, "Cmd": []string{"/aigw-ci", command, "--log-level", "debug"}, "Env": env,
		"HostConfig": object{"NetworkMode": i.network, "Binds": []string{i.Socket + ":/var/run/docker.sock"}},
	}, &made)
	defer func() {
		if err := i.Remove(context.Background(), made.ID); err != nil {
			i.Errorf("cleaning up: %v", err)
		}
	}()
	i.must(i, http.MethodPost, "/containers/"+made.ID+"/start", nil, nil)
	ctx, cancel := context.WithTimeout(i.Context(), program.Patience)
	defer cancel()
	var ended struct{ StatusCode int }
	if err := i.Call(ctx, http.MethodPost, "/containers/"+made.ID+"/wait", nil, &ended); err != nil {
		i.Fatalf("%v\n%s", err, i.logs(made.ID))
	}
	r := program.Result{Exit: ended.StatusCode, Log: i.logs(made.ID)}
	if err := json.Unmarshal([]byte(i.read(made.ID, "/report/report.json")), &r); err != nil {
		i.Fatalf("report.json: %v\n%s", err, r.Log)
	}
	if r.Exit != exit || r.Outcome != outcome {
		i.Fatalf("exit code %d, %s, not %d, %s:\n%s", r.Exit, r.Outcome, exit, outcome, r.Log)
	}
	return r
}
