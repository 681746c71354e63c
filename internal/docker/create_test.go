package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// script is an engine that writes down what it is asked and fails at one step.
type script struct {
	asked  []string
	fail   string
	create client.ContainerCreateOptions
}

var errScripted = errors.New("scripted")

func (s *script) ask(ctx context.Context, format string, args ...any) error {
	step := fmt.Sprintf(format, args...)
	s.asked = append(s.asked, step)
	if s.fail != "" && strings.HasPrefix(step, s.fail) {
		return errScripted
	}
	return ctx.Err()
}

func (s *script) ContainerCreate(ctx context.Context, o client.ContainerCreateOptions) (client.ContainerCreateResult, error) {
	s.create = o
	var endpoints []string
	if o.NetworkingConfig != nil {
		endpoints = slices.Collect(maps.Keys(o.NetworkingConfig.EndpointsConfig))
	}
	return client.ContainerCreateResult{ID: "new", Warnings: []string{"careful"}}, s.ask(ctx, "create %s %s %v", o.Name, o.Config.Image, endpoints)
}

func (s *script) NetworkConnect(ctx context.Context, name string, o client.NetworkConnectOptions) (client.NetworkConnectResult, error) {
	return client.NetworkConnectResult{}, s.ask(ctx, "connect %s %s", o.Container, name)
}

func (s *script) CopyToContainer(ctx context.Context, id string, o client.CopyToContainerOptions) (client.CopyToContainerResult, error) {
	var entries []string
	for archive := tar.NewReader(o.Content); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return client.CopyToContainerResult{}, err
		}
		entries = append(entries, fmt.Sprintf("%s %o", header.Name, header.Mode))
	}
	return client.CopyToContainerResult{}, s.ask(ctx, "put %s %s %q", id, o.DestinationPath, entries)
}

func (s *script) ContainerRemove(ctx context.Context, id string, o client.ContainerRemoveOptions) (client.ContainerRemoveResult, error) {
	return client.ContainerRemoveResult{}, s.ask(ctx, "remove %s volumes=%v", id, o.RemoveVolumes)
}

func recipeToMake() Recipe {
	return Recipe{
		Name:       "gw",
		Config:     &container.Config{},
		HostConfig: &container.HostConfig{NetworkMode: "front"},
		Networks:   map[string]*network.EndpointSettings{"front": {}, "back": {}, "extra": {}},
		Files:      []Deposit{{Path: bundlePath, Mode: 0o644, Data: []byte("pem")}},
		Origin:     Origin{Environment: []string{"A", "B,C"}, Settings: []string{"user"}, CABundle: "abc"},
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	r := recipeToMake()
	r.MAC = network.HardwareAddr{2, 1, 1, 1, 1, 1}
	engine := &script{}
	id, warnings, err := Create(t.Context(), engine, r, "image@sha256:1")
	if err != nil || id != "new" || len(warnings) != 1 {
		t.Fatalf("%q, %q, %v", id, warnings, err)
	}
	want := []string{
		"create gw image@sha256:1 [front]", "connect new back", "connect new extra",
		`put new / ["etc/aigw-ci/ 755" "etc/aigw-ci/ca-bundle.pem 644"]`,
	}
	if diff := cmp.Diff(want, engine.asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	labels := map[string]string{LabelEnvironment: "A", LabelSettings: "user", LabelCABundle: "abc"}
	if diff := cmp.Diff(labels, engine.create.Config.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if got := engine.create.NetworkingConfig.EndpointsConfig["front"].MacAddress; got.String() != r.MAC.String() {
		t.Errorf("MAC %s", got)
	}
	if r.Config.Image != "" || r.Config.Labels != nil || r.Networks["front"].MacAddress != nil {
		t.Error("the recipe was changed")
	}
}

func TestCreateWithReadOnlyRoot(t *testing.T) {
	t.Parallel()
	r := recipeToMake()
	r.HostConfig.ReadonlyRootfs = true
	engine := &script{}
	if _, _, err := Create(t.Context(), engine, r, "image"); err != nil {
		t.Fatal(err)
	}
	if got := engine.asked[len(engine.asked)-1]; got != `put new /etc/aigw-ci ["ca-bundle.pem 644"]` {
		t.Errorf("last request %s", got)
	}
	if m := engine.create.HostConfig.Mounts; len(m) != 1 || m[0].Target != bundleDir || m[0].Source != "" {
		t.Errorf("mounts %v", m)
	}
}

// TestCreateLeavesNothingBehind fails at each step in turn, and by cancellation.
func TestCreateLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for fail, removes := range map[string]bool{"create": false, "connect new back": true, "connect new extra": true, "put": true} {
		t.Run(fail, func(t *testing.T) {
			t.Parallel()
			engine := &script{fail: fail}
			id, _, err := Create(t.Context(), engine, recipeToMake(), "image")
			if !errors.Is(err, errScripted) || id != "" {
				t.Errorf("%q, %v", id, err)
			}
			if removed := engine.asked[len(engine.asked)-1] == "remove new volumes=false"; removed != removes {
				t.Errorf("removed is %v: %q", removed, engine.asked)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		engine := &cancelling{cancel: cancel}
		if _, _, err := Create(ctx, engine, recipeToMake(), "image"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if got := engine.asked[len(engine.asked)-1]; got != "remove new volumes=false" || engine.removal != nil {
			t.Errorf("last request %s, context %v", got, engine.removal)
		}
	})
}

// cancelling is an engine during whose first answer the job is cancelled.
type cancelling struct {
	script
	cancel  context.CancelFunc
	removal error
}

func (c *cancelling) ContainerCreate(ctx context.Context, o client.ContainerCreateOptions) (client.ContainerCreateResult, error) {
	made, err := c.script.ContainerCreate(ctx, o)
	c.cancel()
	return made, err
}

func (c *cancelling) ContainerRemove(ctx context.Context, id string, o client.ContainerRemoveOptions) (client.ContainerRemoveResult, error) {
	c.removal = ctx.Err()
	return c.script.ContainerRemove(ctx, id, o)
}

func TestCreateSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	engine := &stubborn{script{fail: "put"}}
	_, _, err := Create(t.Context(), engine, recipeToMake(), "image")
	if err == nil || !strings.Contains(err.Error(), "docker rm new") {
		t.Errorf("error %v", err)
	}
}

// stubborn is an engine that removes nothing.
type stubborn struct{ script }

func (s *stubborn) ContainerRemove(context.Context, string, client.ContainerRemoveOptions) (client.ContainerRemoveResult, error) {
	return client.ContainerRemoveResult{}, errScripted
}
