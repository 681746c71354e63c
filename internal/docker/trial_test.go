package docker

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"aigw-ci/internal/upgrade"
)

// Authentication is off in the second gateway alone: it has the role of a
// rehearsal, no name of the gateway's, no port, and the one that runs is untouched.
func TestTrial(t *testing.T) {
	t.Parallel()
	s := newStub()
	var made []container.Config
	var name, started string
	var host container.HostConfig
	s.fail = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/containers/json":
			reply(w, http.StatusOK, []any{})
		case strings.HasPrefix(r.URL.Path, "/images/"):
			reply(w, http.StatusOK, map[string]any{"Id": "sha256:1", "Config": map[string]any{}})
		case r.URL.Path == "/containers/create":
			var body struct {
				container.Config
				HostConfig container.HostConfig
			}
			data, _ := io.ReadAll(r.Body)
			if err := json.Unmarshal(data, &body); err != nil {
				t.Error(err)
			}
			made, name, host = append(made, body.Config), r.URL.Query().Get("name"), body.HostConfig
			reply(w, http.StatusCreated, map[string]string{"Id": strings.Repeat("d", 64)})
		case strings.HasSuffix(r.URL.Path, "/start"):
			started = r.URL.Path
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Path == "/_ping":
			return false
		default:
			t.Errorf("%s %s", r.Method, r.URL.Path)
			return false
		}
		return true
	}
	var log recorder
	old := inspected(t, func(c *container.InspectResponse) {
		c.Config.Env = []string{"AIGW_AUTH__BYPASS_EXTERNAL=false", "ANTHROPIC_API_KEY=hunter2hunter2"}
		c.HostConfig.PortBindings = bound("5052:5052")
	})
	target := NewTarget(s.engine(t, nil), TargetOptions{Container: "gitlab-aigw", Log: log.log()})
	seen := upgrade.Observation{Detail: &scene{family: family{name: "gitlab-aigw", live: &member{id: old.ID, name: "gitlab-aigw"}}, old: &old}}
	g, err := target.Trial(t.Context(), seen)
	if err != nil || g == nil {
		t.Fatal(err)
	}
	if len(made) != 1 || started != "/containers/"+strings.Repeat("d", 64)+"/start" {
		t.Fatalf("%d containers, started %q", len(made), started)
	}
	c := made[0]
	if name != "gitlab-aigw"+suffixRehearsal || c.Labels[LabelRole] != RoleRehearsal || len(host.PortBindings) != 0 || c.Image != old.Image {
		t.Errorf("%s: %+v, %+v", name, c, host.PortBindings)
	}
	for variable, value := range unlocked {
		if got, _ := variables(c.Env).get(variable); got != value {
			t.Errorf("%s is %q", variable, got)
		}
	}
	if !slices.Contains(c.Env, "ANTHROPIC_API_KEY=hunter2hunter2") || !slices.Contains(old.Config.Env, "AIGW_AUTH__BYPASS_EXTERNAL=false") {
		t.Error("a setting is lost, or the gateway that runs is changed")
	}
	if !strings.Contains(log.String(), "AUTHENTICATION IS OFF") || strings.Contains(log.String(), "hunter2") {
		t.Errorf("log: %s", log.String())
	}
}

func TestTrialOfNothing(t *testing.T) {
	t.Parallel()
	target := NewTarget(newStub().engine(t, nil), TargetOptions{})
	for _, detail := range []any{nil, &scene{}} {
		if _, err := target.Trial(t.Context(), upgrade.Observation{Detail: detail}); err == nil {
			t.Errorf("%v: a trial of nothing", detail)
		}
	}
}

// Whoever cannot be copied is not tried either.
func TestTrialRefuses(t *testing.T) {
	t.Parallel()
	s := newStub()
	s.fail = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/containers/json":
			reply(w, http.StatusOK, []any{})
		case strings.HasPrefix(r.URL.Path, "/images/"):
			reply(w, http.StatusOK, map[string]any{"Id": "sha256:1", "Config": map[string]any{}})
		case r.URL.Path == "/_ping":
			return false
		default:
			t.Errorf("%s %s", r.Method, r.URL.Path)
			return false
		}
		return true
	}
	old := inspected(t, func(c *container.InspectResponse) { c.HostConfig.AutoRemove = true })
	target := NewTarget(s.engine(t, nil), TargetOptions{Container: "gitlab-aigw"})
	_, err := target.Trial(t.Context(), upgrade.Observation{Detail: &scene{family: family{name: "gitlab-aigw"}, old: &old}})
	var refused *upgrade.RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("error %v", err)
	}
}
