//go:build docker

package docker

import (
	"crypto/rand"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// What crossing to 18.9 adds to a container is all that changes, the engine takes
// it, and the next upgrade finds nothing to add.
func TestRequireOnEngine(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	image := e.image("1", `CMD ["/still"]`)
	port := network.MustParsePort("5052/tcp")
	old := e.create(client.ContainerCreateOptions{
		Name:   "crossing",
		Config: &container.Config{Image: image, Env: gitlabIs, ExposedPorts: network.PortSet{port: {}}},
		HostConfig: &container.HostConfig{PortBindings: network.PortMap{
			port: {{HostIP: netip.MustParseAddr("127.0.0.1")}},
		}},
	})
	recipe, found := Copy(Source{Container: old, Image: e.imageConfig(image), Others: e.others(old), API: e.ClientVersion(), Reference: image})
	required, err := recipe.Require(line183, line189, "https://gitlab.example.com", rand.Reader)
	if err != nil || len(found.Refusals)+len(required.Refusals) != 0 {
		t.Fatalf("%+v, %+v, %v", found, required, err)
	}
	if published := recipe.Publish(line183, line189, e.others(old)); len(published.Notes) != 1 {
		t.Errorf("notes %q", published.Notes)
	}
	announced := Differences(&old, recipe, image, *e.imageConfig(image))
	want := []string{
		"Config.ExposedPorts.50052/tcp", "HostConfig.PortBindings.50052/tcp",
		"environment.AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "environment.AIGW_SELF_SIGNED_JWT__VALIDATION_KEY", "environment.DUO_WORKFLOW_AUTH__ENABLED",
		"environment.DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY", "environment.DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY",
	}
	if diff := cmp.Diff(want, fields(announced)); diff != "" {
		t.Error(diff)
	}
	recipe.Name += "-next"
	id, _, err := Create(t.Context(), e, recipe, image)
	if err != nil {
		t.Fatal(err)
	}
	e.removeAtEnd(id)
	e.start(id)
	made := e.inspect(id)
	for _, d := range Compare(old, made, announced) {
		t.Errorf("unexpected: %s", d)
	}

	again, _ := Copy(Source{Container: made, Image: e.imageConfig(image), API: e.ClientVersion(), Reference: image})
	if found, err := again.Require(line189, line189, "https://gitlab.example.com", rand.Reader); err != nil || len(found.Notes)+len(found.Refusals) != 0 {
		t.Errorf("the next upgrade: %+v, %v", found, err)
	}
	if d := Differences(&made, again, image, *e.imageConfig(image)); len(d) != 0 {
		t.Errorf("the next upgrade changes %q", fields(d))
	}
}

// A trial of a container that runs, and the authorities it was told of.
func TestTrialOnEngine(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	image := e.image("1", `CMD ["/still"]`)
	old := e.create(client.ContainerCreateOptions{
		Name:   "trial",
		Config: &container.Config{Image: image, Env: append([]string{"SSL_CERT_FILE=/ca.pem", "REQUESTS_CA_BUNDLE=/gone.pem"}, gitlabIs...)},
	})
	e.write(old.ID, "/ca.pem", "pem")
	e.start(old.ID)
	old = e.inspect(old.ID)
	engine := connect(t, ConnectOptions{})
	bundles, err := engine.gateway(old.ID, "trial", true).Authorities(t.Context())
	if diff := cmp.Diff(map[string][]byte{"SSL_CERT_FILE": []byte("pem"), "REQUESTS_CA_BUNDLE": nil}, bundles); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}

	name := strings.TrimPrefix(old.Name, "/")
	var log recorder
	target := NewTarget(engine, TargetOptions{Container: name, Log: log.log(), Who: os.Args[0]})
	seen := upgrade.Observation{Detail: &scene{family: family{name: name, live: &member{id: old.ID, name: name}}, old: &old}}
	if _, err := target.Trial(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	trial := e.inspect(name + suffixRehearsal)
	e.removeAtEnd(trial.ID)
	if bypass, _ := variables(trial.Config.Env).get("AIGW_AUTH__BYPASS_EXTERNAL"); bypass != "true" || !trial.State.Running {
		t.Errorf("the trial is %s, with bypass %q", trial.State.Status, bypass)
	}
	if now := e.inspect(old.ID); now.State.StartedAt != old.State.StartedAt || variables(now.Config.Env).index("AIGW_AUTH__BYPASS_EXTERNAL") >= 0 {
		t.Error("the gateway that runs was touched")
	}
	if err := target.Dismiss(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ContainerInspect(t.Context(), trial.ID, client.ContainerInspectOptions{}); !isNotFound(err) {
		t.Errorf("the trial is still there: %v", err)
	}
}
