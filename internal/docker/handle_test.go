package docker

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// The container's variables are what gateway.Listens reads.
func TestPortsOf(t *testing.T) {
	t.Parallel()
	env := []string{"AIGW_FASTAPI__API_PORT=8080", "AIGW_FASTAPI__TLS__ENABLED=true", "PORT=9090", "VALUELESS"}
	c := container.InspectResponse{Config: &container.Config{Image: "x:self-hosted-v18.4.0-ee", Env: env}}
	if got, want := portsOf(c), (gateway.Ports{HTTP: 8080, TLS: true, GRPC: 9090}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := portsOf(container.InspectResponse{}), (gateway.Ports{HTTP: 5052}); got != want {
		t.Errorf("of a container that says nothing: %+v, want %+v", got, want)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	s := newStub()
	s.fail = func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/containers/running/json":
			reply(w, http.StatusOK, map[string]any{
				"Id": "running", "Image": digest("1"), "RestartCount": 2,
				"ImageManifestDescriptor": map[string]any{"digest": digest("2")},
				"State":                   map[string]any{"Status": "running", "Running": true, "StartedAt": "2026-11-22T10:00:00.5Z", "Health": map[string]string{"Status": "healthy"}},
			})
		case "/containers/failed/json":
			reply(w, http.StatusOK, map[string]any{
				"Id": "failed", "Image": digest("9"),
				"State": map[string]any{"Status": "exited", "ExitCode": 137, "OOMKilled": true, "StartedAt": "0001-01-01T00:00:00Z", "Error": "no\x1b[31m such file", "Health": map[string]string{"Status": "none"}},
			})
		case "/images/" + digest("1") + "/json":
			reply(w, http.StatusOK, map[string]any{"Id": digest("1"), "RepoDigests": []string{"a@" + digest("3"), "b@" + digest("4"), "c"}, "Descriptor": map[string]any{"digest": digest("3")}})
		case "/images/" + digest("9") + "/json":
			refuse(w, http.StatusNotFound, "No such image")
		case "/containers/broken/json":
			refuse(w, http.StatusInternalServerError, "out of order")
		default:
			return false
		}
		return true
	}
	e := s.engine(t, nil)
	tests := map[string]upgrade.State{
		"running": {Status: upgrade.Running, Restarts: 2, Started: time.Date(2026, 11, 22, 10, 0, 0, 5e8, time.UTC), Health: "healthy", Digests: []string{digest("1"), digest("2"), digest("3"), digest("4")}},
		"failed":  {Status: upgrade.Exited, ExitCode: 137, OOM: true, Error: "no such file", Digests: []string{digest("9")}},
		"gone":    {Status: upgrade.Missing},
	}
	for id, want := range tests {
		got, err := e.gateway(id, "gitlab-aigw", true).State(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", id, err, diff)
		}
	}
	// An engine that does not answer says nothing about the gateway.
	if got, err := e.gateway("broken", "gitlab-aigw", true).State(t.Context()); err == nil || got.Status != "" {
		t.Errorf("broken engine: %+v, %v, want an error", got, err)
	}
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[container.ContainerState]upgrade.Status{
		"created": upgrade.Created, "running": upgrade.Running, "restarting": upgrade.Restarting, "paused": upgrade.Paused,
		"exited": upgrade.Exited, "dead": upgrade.Exited, "removing": upgrade.Exited,
	} {
		if got := stateOf(container.InspectResponse{State: &container.State{Status: in}}).Status; got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
