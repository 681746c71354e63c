//go:build docker

package docker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// Every road from here, and what the engine tells of a gateway.
func TestRealHandle(t *testing.T) {
	t.Parallel()
	e := connect(t, ConnectOptions{Executable: self(t)})
	id := startGateway(t, e, func(o *client.ContainerCreateOptions) {
		o.Config.Hostname = "gateway"
		o.HostConfig.PublishAllPorts = true
		o.Config.ExposedPorts = network.PortSet{network.MustParsePort("5052/tcp"): {}}
	})
	if body, via := get(t, e.gateway(id, "test", true)); body != "gateway" || via != "published port" {
		t.Errorf("live: %q by %q", body, via)
	}
	h := e.gateway(id, "test", false)
	if body, via := get(t, h); body != "gateway" || via != "container address" {
		t.Errorf("rehearsal: %q by %q", body, via)
	}
	state, err := h.State(t.Context())
	if err != nil || state.Status != "running" || len(state.Digests) == 0 || time.Since(state.Started) > time.Hour {
		t.Errorf("state %+v, %v", state, err)
	}
	lines, err := h.Logs(t.Context(), 10)
	if err != nil || len(lines) != 2 {
		t.Errorf("logs %q, %v", lines, err)
	}
	files, err := h.Evidence(t.Context())
	if err != nil || len(files) != 3 {
		t.Errorf("evidence %v, %v", files, err)
	}
	for _, f := range files {
		if strings.Contains(string(f.Data), "sk-very-secret-1") {
			t.Errorf("%s holds a secret:\n%s", f.Name, f.Data)
		}
	}

	crashed := startGateway(t, e, func(o *client.ContainerCreateOptions) {
		o.Config.Entrypoint = []string{relayProgram, "exit", "3"}
		o.HostConfig.RestartPolicy = container.RestartPolicy{Name: "no"}
	})
	h = e.gateway(crashed, "crashed", false)
	for range 50 {
		if state, err = h.State(t.Context()); err != nil || state.Status == "exited" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil || state.Status != "exited" || state.ExitCode != 3 {
		t.Errorf("crashed: %+v, %v", state, err)
	}
	if _, err := h.Endpoint(t.Context()); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("a road to a gateway that crashed: %v", err)
	}
	if state, err := e.gateway(strings.Repeat("0", 64), "none", false).State(t.Context()); err != nil || state.Status != "missing" {
		t.Errorf("missing: %+v, %v", state, err)
	}
}

// A job in a container with the engine's socket mounted finds its roads too.
func TestRealRoadsFromAContainer(t *testing.T) {
	t.Parallel()
	socket := strings.TrimPrefix(engineHost(), "unix://")
	e := connect(t, ConnectOptions{})
	apart, err := e.api.NetworkCreate(t.Context(), unique("aigw-ci-test-apart"), client.NetworkCreateOptions{Driver: "bridge"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := e.api.NetworkRemove(context.Background(), apart.ID, client.NetworkRemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	public := func(o *client.ContainerCreateOptions) {
		o.HostConfig.PublishAllPorts = true
		o.Config.ExposedPorts = network.PortSet{network.MustParsePort("5052/tcp"): {}}
	}
	elsewhere := func(o *client.ContainerCreateOptions) { o.HostConfig.NetworkMode = container.NetworkMode(apart.ID) }
	for _, test := range []struct {
		gateway func(*client.ContainerCreateOptions)
		look    string
		want    string
	}{
		{public, "published", "published port of the host this container is on"},
		{public, "rehearsal", "container address"},
		{elsewhere, "rehearsal", "relay through the engine"},
	} {
		id := startGateway(t, e, test.gateway)
		job := startGateway(t, e, func(o *client.ContainerCreateOptions) {
			o.Config.Entrypoint = []string{relayProgram, "look", id, test.look}
			o.HostConfig.Binds = []string{socket + ":" + defaultSocket}
		})
		h := e.gateway(job, "job", false)
		var lines []string
		for range 300 {
			if state, err := h.State(t.Context()); err != nil || state.Status == "exited" {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if lines, err = h.Logs(t.Context(), 20); err != nil || strings.Join(lines, "\n") != test.want {
			t.Errorf("%s: %q, %v, want %q", test.look, lines, err, test.want)
		}
	}
}
