//go:build docker

package docker

import (
	"net/http"
	"strings"
	"testing"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
)

// A container with the restart policy "always" comes back when the engine restarts,
// also one that was stopped on purpose. One that was set aside must not.
func TestRestartAlways(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mirror(image.Options{Tag: tag182}, image.Options{Tag: tag183, Mode: gateway.DiesWithUsers}, image.Options{Tag: tag184})
	exposed, bindings := publish("127.0.0.1:"+w.port, "5052")
	old := w.dockerRun(w.name, object{
		"Image": w.pull(tag182), "Env": w.environment(), "ExposedPorts": exposed,
		"HostConfig": object{"PortBindings": bindings, "RestartPolicy": object{"Name": "always"}},
	})
	policies := func(state string, want map[string]string) {
		t.Helper()
		list, err := w.Containers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			if !l.Belongs(w.name) {
				continue
			}
			c := w.inspect(t, l.ID)
			name := strings.TrimPrefix(c.Name, "/"+w.name)
			if got := c.HostConfig.RestartPolicy.Name; got != want[name] {
				t.Errorf("%s: %q has the policy %q, want %q", state, c.Name, got, want[name])
			}
			delete(want, name)
		}
		for name := range want {
			t.Errorf("%s: there is no %s%s", state, w.name, name)
		}
	}

	w.estate.SetVersion("18.3.6-ee")
	users := crowd.Work(t, w.url(), 1)
	w.run("upgrade", 4, "rolled_back")
	policies("rolled back", map[string]string{"": "always"})
	if c := w.inspect(t, w.name); c.ID != old.ID {
		t.Errorf("%s is back, not %s", c.ID, old.ID)
	}

	// Nobody puts it back: it stays aside, and would not come back by itself.
	w.run("upgrade", 5, "rollback_failed", "AIGW_CI_ROLLBACK=false")
	policies("failed", map[string]string{"": "always", ".aigw-ci-previous": "no"})
	users.Rest()
	w.run("rollback", 0, "rolled_back")
	policies("put back", map[string]string{"": "always"})
	if c := w.inspect(t, w.name); c.ID != old.ID || c.State.Status != "running" {
		t.Errorf("%s is back and %s, not %s", c.ID, c.State.Status, old.ID)
	}

	w.estate.SetVersion("18.4.2-ee")
	w.run("upgrade", 0, "upgraded")
	w.serves(tag184)
	policies("upgraded", map[string]string{"": "always"})
	w.alone()
}

// What cannot be made again as it is, is not touched.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		host object
		want string
	}{
		"rm":      {object{"AutoRemove": true}, "--rm"},
		"network": {object{"NetworkMode": "container:other"}, "network of another container"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.mirror(image.Options{Tag: tag182}, image.Options{Tag: tag183})
			reference := w.pull(tag182)
			if name == "network" {
				other := w.dockerRun("other-"+w.suffix, object{"Image": reference, "Env": []string{"AIGW_FASTAPI__API_PORT=6052", "AIGW_FASTAPI__METRICS_PORT=6082"}})
				test.host["NetworkMode"] = "container:" + other.ID
			}
			old := w.dockerRun(w.name, object{"Image": reference, "Env": w.environment(), "HostConfig": test.host})
			w.estate.SetVersion("18.3.6-ee")
			read := w.estate.Registry.Log().Count(http.MethodGet, "/blobs/")
			for _, command := range []string{"plan", "upgrade"} {
				w.run(command, 1, "failed").Says(t, test.want)
			}
			now := w.inspect(t, w.name)
			if now.ID != old.ID || now.State.StartedAt != old.State.StartedAt || now.State.Status != "running" {
				t.Errorf("it was touched: %s since %s, before %s since %s", now.State.Status, now.State.StartedAt, old.State.Status, old.State.StartedAt)
			}
			if n := w.estate.Registry.Log().Count(http.MethodGet, "/blobs/") - read; n > 2 { // two configurations
				t.Errorf("%d blobs were read for nothing", n)
			}
			w.alone()
		})
	}
}
