package docker

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

func TestRehearsalIsOutOfReach(t *testing.T) {
	t.Parallel()
	port := network.MustParsePort("5052/tcp")
	live := Recipe{
		Name: "gitlab-aigw", MAC: network.HardwareAddr{2, 1, 1, 1, 1, 1},
		Config: &container.Config{
			Env:          []string{"VIRTUAL_HOST=gw.example.com", "LETSENCRYPT_HOST=gw.example.com", "TOKEN=x"},
			Labels:       map[string]string{"com.docker.compose.service": "gw", "traefik.enable": "true"},
			ExposedPorts: network.PortSet{port: {}},
			Healthcheck:  &container.HealthConfig{Retries: 3},
		},
		HostConfig: &container.HostConfig{
			NetworkMode: "front", PublishAllPorts: true, ContainerIDFile: "/run/gw.id", Links: []string{"models:llm"},
			PortBindings:  network.PortMap{port: {{HostPort: "5052"}}},
			RestartPolicy: container.RestartPolicy{Name: "always"},
			Resources:     container.Resources{Memory: 1 << 30},
		},
		Networks: map[string]*network.EndpointSettings{"front": {
			Aliases: []string{"gateway"}, DriverOpts: map[string]string{"x": "y"},
			IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr("10.0.0.7")},
		}},
	}
	if len(live.Exclusive()) != 3 {
		t.Errorf("exclusive: %q, want port, address and MAC", live.Exclusive())
	}
	r, notes := live.Rehearsal("trial")
	if len(r.Exclusive()) > 0 || len(notes) > 0 {
		t.Errorf("exclusive %q, notes %q", r.Exclusive(), notes)
	}
	want := live.clone()
	want.Name, want.MAC = "trial", nil
	want.Config.Env, want.Config.Labels = []string{"TOKEN=x"}, nil
	want.HostConfig.PortBindings, want.HostConfig.PublishAllPorts, want.HostConfig.ContainerIDFile = nil, false, ""
	want.HostConfig.RestartPolicy.Name = "no"
	want.Networks["front"].Aliases, want.Networks["front"].IPAMConfig = nil, nil
	if diff := cmp.Diff(want.fields(), r.fields()); diff != "" {
		t.Errorf("rehearsal (-want +got):\n%s", diff)
	}
	if live.Config.Labels["traefik.enable"] == "" || live.Networks["front"].Aliases == nil {
		t.Error("the recipe itself was changed")
	}
}

func TestRehearsalOfHostNetwork(t *testing.T) {
	t.Parallel()
	r, notes := Recipe{
		Config: &container.Config{}, HostConfig: &container.HostConfig{NetworkMode: "host"},
		Networks: map[string]*network.EndpointSettings{"host": {}},
	}.Rehearsal("trial")
	if r.HostConfig.NetworkMode != "bridge" || len(r.Networks) != 0 || len(notes) != 1 || !strings.Contains(notes[0], "bridge") {
		t.Errorf("mode %q, networks %v, notes %q", r.HostConfig.NetworkMode, r.Networks, notes)
	}
}

func TestRehearsalCannotHarmTheLiveGateway(t *testing.T) {
	t.Parallel()
	r, notes := Recipe{
		Config: &container.Config{Env: []string{"AIGW_LOGGING__TO_FILE=/logs/gw.log"}, Volumes: map[string]struct{}{"/tmp": {}, "/v": {}}},
		HostConfig: &container.HostConfig{
			Binds: []string{"/srv/a:/a", "/srv/b:/b:rw,Z", "c:/c:ro", "/srv/logs:/logs:Z", "t:/tmp"},
			Mounts: []mount.Mount{
				{Type: mount.TypeVolume, Source: "v", Target: "/v"}, {Type: mount.TypeBind, Source: "/r", Target: "/r", ReadOnly: true},
				{Type: mount.TypeTmpfs, Target: "/run"}, {Type: mount.TypeVolume, Source: "x", Target: "/var/tmp"},
			},
			Tmpfs:       map[string]string{"/ram": "size=1m"},
			VolumesFrom: []string{"data", "more:rw,z"},
		},
	}.Rehearsal("trial")
	want := container.HostConfig{
		Binds: []string{"/srv/a:/a:ro", "/srv/b:/b:z,ro", "c:/c:ro", "/srv/logs:/logs:z"},
		Mounts: []mount.Mount{
			{Type: mount.TypeVolume, Source: "v", Target: "/v", ReadOnly: true}, {Type: mount.TypeBind, Source: "/r", Target: "/r", ReadOnly: true},
			{Type: mount.TypeTmpfs, Target: "/run"},
		},
		Tmpfs:         map[string]string{"/ram": "size=1m", "/tmp": "mode=1777", "/var/tmp": "mode=1777"},
		VolumesFrom:   []string{"data:ro", "more:z,ro"},
		RestartPolicy: container.RestartPolicy{Name: "no"},
	}
	if diff := cmp.Diff(want, *r.HostConfig); diff != "" {
		t.Errorf("HostConfig (-want +got):\n%s", diff)
	}
	if _, ok := r.Config.Volumes["/tmp"]; ok {
		t.Error("a fresh volume hides the scratch directory")
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "/a, /b, /v") {
		t.Errorf("notes %q", notes)
	}
}
