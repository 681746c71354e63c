//go:build docker

package docker

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"aigw-ci/internal/secret"
)

func mustPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func fields(differences []Difference) []string {
	var names []string
	for _, d := range differences {
		names = append(names, d.Field)
	}
	return names
}

// TestCopyAppliesNewDefaults moves a container between two images that differ in
// everything an image can provide, and one that was given all of it by its user.
func TestCopyAppliesNewDefaults(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	oldImage := e.image("1", "ENV BOTH=old", "ENV GONE=1", "ENV SAME=same", `CMD ["/still","a"]`, "USER 1000", "WORKDIR /old", "LABEL image=old", "EXPOSE 1111", `HEALTHCHECK --interval=7s CMD ["/old"]`)
	newImage := e.image("2", "ENV BOTH=new", "ENV ADDED=1", "ENV SAME=same", `CMD ["/bin/still","b"]`, "USER 2000", "WORKDIR /new", "LABEL image=new", "EXPOSE 2222", `HEALTHCHECK --interval=9s CMD ["/new"]`)

	t.Run("inherited", func(t *testing.T) {
		e := e.in(t)
		old := e.run(client.ContainerCreateOptions{Name: "inherited", Config: &container.Config{Image: oldImage, Env: []string{"MINE=1"}}})
		made, announced := e.copyTo(old, oldImage, newImage, Declared{})
		c := made.Config
		got := map[string]any{"cmd": c.Cmd, "user": c.User, "dir": c.WorkingDir, "label": c.Labels["image"], "test": c.Healthcheck.Test, "interval": c.Healthcheck.Interval}
		want := map[string]any{"cmd": []string{"/bin/still", "b"}, "user": "2000", "dir": "/new", "label": "new", "test": []string{"CMD", "/new"}, "interval": 9 * time.Second}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("defaults (-want +got):\n%s", diff)
		}
		env := slices.Sorted(slices.Values(c.Env))
		if diff := cmp.Diff([]string{"ADDED=1", "BOTH=new", "MINE=1", "SAME=same"}, env); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
		want2 := []string{"Config.Cmd", "Config.ExposedPorts.1111/tcp", "Config.ExposedPorts.2222/tcp", "Config.Healthcheck.Interval", "Config.Healthcheck.Test", "Config.Labels.image", "Config.User", "Config.WorkingDir", "environment.ADDED", "environment.BOTH", "environment.GONE", "image"}
		if diff := cmp.Diff(want2, fields(announced)); diff != "" {
			t.Errorf("announced (-want +got):\n%s", diff)
		}
	})

	t.Run("given by the user", func(t *testing.T) {
		e := e.in(t)
		old := e.run(client.ContainerCreateOptions{Name: "given", Config: &container.Config{
			Image: oldImage, Env: []string{"BOTH=mine"}, Cmd: []string{"/still", "mine"}, User: "3000", WorkingDir: "/mine",
			Labels: map[string]string{"image": "mine"}, Healthcheck: &container.HealthConfig{Interval: 3 * time.Second},
		}})
		_, announced := e.copyTo(old, oldImage, newImage, Declared{})
		want := []string{"Config.ExposedPorts.1111/tcp", "Config.ExposedPorts.2222/tcp", "Config.Healthcheck.Test", "environment.ADDED", "environment.GONE", "image"}
		if diff := cmp.Diff(want, fields(announced)); diff != "" {
			t.Errorf("announced (-want +got):\n%s", diff)
		}
	})

	t.Run("recorded", func(t *testing.T) {
		e := e.in(t)
		old := e.run(client.ContainerCreateOptions{Name: "recorded", Config: &container.Config{
			Image: oldImage, Env: []string{"BOTH=old"}, Cmd: []string{"/still", "a"},
			Labels: map[string]string{LabelEnvironment: "BOTH", LabelSettings: "command"},
		}})
		made, _ := e.copyTo(old, oldImage, newImage, Declared{})
		if !slices.Contains(made.Config.Env, "BOTH=old") || !slices.Equal(made.Config.Cmd, []string{"/still", "a"}) {
			t.Errorf("what the user set is lost: %q, %q", made.Config.Env, made.Config.Cmd)
		}
		if made.Config.Labels[LabelEnvironment] != "BOTH" || made.Config.Labels[LabelSettings] != "command" {
			t.Errorf("the record is lost: %q", made.Config.Labels)
		}
	})
}

// TestCopyEntrypoint covers the four ways in which entrypoint and command can come
// from user and image.
func TestCopyEntrypoint(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	oldImage := e.image("1", `ENTRYPOINT ["/still"]`, `CMD ["a"]`)
	newImage := e.image("2", `ENTRYPOINT ["/bin/still"]`, `CMD ["b"]`)
	for name, test := range map[string]struct {
		entrypoint, command         []string
		wantEntrypoint, wantCommand []string
	}{
		"none":                {nil, nil, []string{"/bin/still"}, []string{"b"}},
		"command":             {nil, []string{"mine"}, []string{"/bin/still"}, []string{"mine"}},
		"entrypoint":          {[]string{"/still", "x"}, nil, []string{"/still", "x"}, nil},
		"entrypoint-of-image": {[]string{"/still"}, nil, []string{"/still"}, nil},
		"both":                {[]string{"/still", "x"}, []string{"a"}, []string{"/still", "x"}, []string{"a"}},
		"taken-away":          {[]string{""}, []string{"/still"}, nil, []string{"/still"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := e.in(t)
			old := e.run(client.ContainerCreateOptions{Name: name, Config: &container.Config{Image: oldImage, Entrypoint: test.entrypoint, Cmd: test.command}})
			made, _ := e.copyTo(old, oldImage, newImage, Declared{})
			if !slices.Equal(made.Config.Entrypoint, test.wantEntrypoint) || !slices.Equal(made.Config.Cmd, test.wantCommand) {
				t.Errorf("entrypoint %q command %q, want %q and %q", made.Config.Entrypoint, made.Config.Cmd, test.wantEntrypoint, test.wantCommand)
			}
		})
	}
}

// TestCopyKeepsEverything gives a container every setting that an ordinary engine
// takes, and copies it twice: what a copy adds must not pile up.
func TestCopyKeepsEverything(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	oldImage := e.image("1", "ENV A=1", `CMD ["/still"]`)
	newImage := e.image("2", "ENV A=1", `CMD ["/still"]`)
	yes, pids, timeout, swappiness := true, int64(90), 3, int64(10)
	old := e.run(client.ContainerCreateOptions{
		Name: "rich",
		Config: &container.Config{
			Image: oldImage, Hostname: "gw", Domainname: "example.com", User: "0:0", Env: []string{"X=1", "EMPTY=", "A"},
			AttachStdout: true, Tty: true, OpenStdin: true, StdinOnce: true,
			ExposedPorts: network.PortSet{network.MustParsePort("7000/udp"): {}},
			Healthcheck:  &container.HealthConfig{Test: []string{"NONE"}},
			Labels: map[string]string{
				"com.docker.compose.project": "duo", "com.docker.compose.service": "gateway",
				"com.docker.compose.project.config_files": "/srv/duo/compose.yaml", "traefik.http.routers.x.rule": "Host(`x.example.com`)", "empty": "",
			},
			StopSignal: "SIGINT", StopTimeout: &timeout,
		},
		HostConfig: &container.HostConfig{
			Binds:          []string{"/usr/share:/host:ro", "named" + e.suffix + ":/named"},
			LogConfig:      container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m"}},
			PortBindings:   network.PortMap{network.MustParsePort("5052/tcp"): {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: "45052"}}},
			RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyOnFailure, MaximumRetryCount: 4},
			CapAdd:         []string{"NET_ADMIN"},
			CapDrop:        []string{"MKNOD"},
			CgroupnsMode:   container.CgroupnsModePrivate,
			DNS:            []netip.Addr{netip.MustParseAddr("192.0.2.53")},
			DNSOptions:     []string{"ndots:2"},
			DNSSearch:      []string{"example.com"},
			ExtraHosts:     []string{"gitlab.example.com:192.0.2.7"},
			GroupAdd:       []string{"44"},
			IpcMode:        container.IPCModeShareable,
			OomScoreAdj:    100,
			PidMode:        "host",
			ReadonlyRootfs: true,
			SecurityOpt:    []string{"no-new-privileges"},
			Tmpfs:          map[string]string{"/scratch": "size=1m", "/plain": ""},
			ShmSize:        32 << 20,
			Sysctls:        map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
			Runtime:        "runc",
			Init:           &yes,
			Mounts: []mount.Mount{
				{Type: mount.TypeTmpfs, Target: "/ram", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20, Mode: 0o700}},
				{Type: mount.TypeBind, Source: "/usr/lib", Target: "/lib2", ReadOnly: true, BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate}},
			},
			MaskedPaths:   []string{"/proc/kcore"},
			ReadonlyPaths: []string{},
			Resources: container.Resources{
				CPUShares: 512, Memory: 128 << 20, NanoCPUs: 5e8, MemoryReservation: 64 << 20, MemorySwappiness: &swappiness, PidsLimit: &pids,
				CpusetCpus: "0", Devices: []container.DeviceMapping{{PathOnHost: "/dev/null", PathInContainer: "/dev/nothing", CgroupPermissions: "r"}},
				DeviceCgroupRules: []string{"c 1:3 r"},
				Ulimits:           []*container.Ulimit{{Name: "nofile", Soft: 1024, Hard: 2048}},
			},
		},
	})
	made, announced := e.copyTo(old, oldImage, newImage, Declared{})
	if diff := cmp.Diff([]string{"image"}, fields(announced)); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	again, announced := e.copyTo(made, newImage, newImage, Declared{})
	if len(announced) > 0 {
		t.Errorf("a copy of the copy differs: %v", announced)
	}
	if got := again.Config.Labels["com.docker.compose.service"]; got != "gateway" {
		t.Errorf("compose labels are lost")
	}
}

func TestCopyKeepsAnonymousVolumes(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	oldImage := e.image("1", `CMD ["/still"]`, "VOLUME /image")
	newImage := e.image("2", `CMD ["/still"]`)
	old := e.run(client.ContainerCreateOptions{
		Name:   "volumes",
		Config: &container.Config{Image: oldImage, Volumes: map[string]struct{}{"/option": {}}},
		HostConfig: &container.HostConfig{
			Binds:  []string{"/bind"},
			Mounts: []mount.Mount{{Type: mount.TypeVolume, Target: "/mount"}},
		},
	})
	places := []string{"/image", "/option", "/bind", "/mount"}
	for _, place := range places {
		e.write(old.ID, place+"/data", "kept at "+place)
	}
	made, _ := e.copyTo(old, oldImage, newImage, Declared{})
	made, announced := e.copyTo(made, newImage, newImage, Declared{})
	if len(announced) > 0 {
		t.Errorf("a copy of the copy differs: %v", announced)
	}
	for _, place := range places {
		if text, _ := e.read(made.ID, place+"/data"); text != "kept at "+place {
			t.Errorf("%s has %q", place, text)
		}
	}
}

func TestCopyKeepsNetworks(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	oldImage, newImage := e.image("1", `CMD ["/still"]`), e.image("2", `CMD ["/still"]`, "ENV NEW=1")
	front, frontID := e.network("front", "10.213.7.0/24")
	back, _ := e.network("a-back", "")
	old := e.run(client.ContainerCreateOptions{
		Name:       "networks",
		Config:     &container.Config{Image: oldImage},
		HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode(frontID)},
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{frontID: {
			Aliases:    []string{"gateway", "duo"},
			IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr("10.213.7.77")},
		}}},
	})
	for _, name := range []string{back, "bridge"} {
		endpoint := &network.EndpointSettings{}
		if name == back {
			endpoint.Aliases = []string{"backend"}
		}
		if _, err := e.NetworkConnect(t.Context(), name, client.NetworkConnectOptions{Container: old.ID, EndpointConfig: endpoint}); err != nil {
			t.Fatal(err)
		}
	}
	old = e.inspect(old.ID)

	made, _ := e.copyTo(old, oldImage, newImage, Declared{})
	got := made.NetworkSettings.Networks
	if len(got) != 3 || got[front].IPAddress.String() != "10.213.7.77" || !slices.Contains(got[front].Aliases, "duo") || !slices.Contains(got[back].Aliases, "backend") {
		t.Errorf("networks: %v", got)
	}
	for name, endpoint := range got {
		if slices.Contains(endpoint.Aliases, old.ID[:shortID]) {
			t.Errorf("%s has the old container's generated alias", name)
		}
	}
}

// TestCopyModes covers the network and namespace modes in which a naive copy is
// refused by the engine.
func TestCopyModes(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	oldImage, newImage := e.image("1", `CMD ["/still"]`), e.image("2", `CMD ["/still"]`)
	other := e.run(client.ContainerCreateOptions{Name: "other", Config: &container.Config{Image: oldImage, Volumes: map[string]struct{}{"/theirs": {}}}, HostConfig: &container.HostConfig{IpcMode: container.IPCModeShareable}})
	for name, host := range map[string]*container.HostConfig{
		"host-network": {NetworkMode: "host"},
		"no-network":   {NetworkMode: "none"},
		"host-uts":     {UTSMode: "host"},
		"link":         {Links: []string{strings.TrimPrefix(other.Name, "/") + ":models"}},
		"volumes-from": {VolumesFrom: []string{other.ID + ":ro"}},
		"ipc":          {IpcMode: container.IpcMode("container:" + other.ID)},
		"privileged":   {Privileged: true}, // made, not started: an engine in a container may not be allowed to
		"host-ipc":     {IpcMode: "host", PidMode: "host"},
	} {
		t.Run(name, func(t *testing.T) {
			e := e.in(t)
			make := e.run
			if host.Privileged {
				make = e.create
			}
			old := make(client.ContainerCreateOptions{Name: name, Config: &container.Config{Image: oldImage}, HostConfig: host})
			if _, announced := e.copyTo(old, oldImage, newImage, Declared{}); len(announced) != 1 {
				t.Errorf("announced %v, want the image only", announced)
			}
		})
	}
}

func TestDeclaredOnEngine(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	image := e.image("1", `CMD ["/still"]`, "ENV A=1", "USER 1000")
	for name, host := range map[string]*container.HostConfig{
		"writable":  {},
		"read-only": {ReadonlyRootfs: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := e.in(t)
			old := e.run(client.ContainerCreateOptions{Name: name, Config: &container.Config{Image: image}, HostConfig: host})
			declared := Declared{Environment: map[string]secret.Value{"A": "2", "TOKEN": "sesame-open"}, CABundle: []byte("first")}
			made, announced := e.copyTo(old, image, image, declared)
			want := []string{"ca_bundle", "environment.A", "environment.REQUESTS_CA_BUNDLE", "environment.SSL_CERT_FILE", "environment.TOKEN"}
			if diff := cmp.Diff(want, fields(announced)); diff != "" {
				t.Errorf("announced (-want +got):\n%s", diff)
			}
			if text, mode := e.read(made.ID, bundlePath); text != "first" || mode.Perm() != 0o644 {
				t.Errorf("the bundle is %q with mode %v", text, mode)
			}

			same, announced := e.copyTo(made, image, image, declared)
			if len(announced) > 0 {
				t.Errorf("the same declaration is a change: %v", announced)
			}

			declared.CABundle = []byte("second")
			next, announced := e.copyTo(same, image, image, declared)
			if diff := cmp.Diff([]string{"ca_bundle"}, fields(announced)); diff != "" {
				t.Errorf("announced (-want +got):\n%s", diff)
			}
			if text, _ := e.read(same.ID, bundlePath); text != "first" {
				t.Errorf("the old container's bundle is %q now: there is no way back", text)
			}

			recipe, _ := Copy(Source{Container: next, Image: e.imageConfig(image), API: e.ClientVersion()})
			if err := recipe.CarryOver(t.Context(), e, next.ID); err != nil || len(recipe.Files) != 1 || string(recipe.Files[0].Data) != "second" {
				t.Errorf("carried over %v, %v", recipe.Files, err)
			}
		})
	}
}

func TestRehearsalOnEngine(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	image := e.image("1", `CMD ["/still"]`)
	front, _ := e.network("front", "10.213.9.0/24")
	live := e.run(client.ContainerCreateOptions{
		Name:   "live",
		Config: &container.Config{Image: image, Volumes: map[string]struct{}{"/anonymous": {}}, Labels: map[string]string{"com.docker.compose.service": "x"}},
		HostConfig: &container.HostConfig{
			NetworkMode:  container.NetworkMode(front),
			PortBindings: network.PortMap{network.MustParsePort("5052/tcp"): {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: "45053"}}},
			Binds:        []string{"cache" + e.suffix + ":/cache", "tmp" + e.suffix + ":/tmp"},
		},
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{front: {
			Aliases: []string{"gateway"}, IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr("10.213.9.9")},
		}}},
	})
	recipe, found := Copy(Source{Container: live, Image: e.imageConfig(image), API: e.ClientVersion()})
	if len(found.Refusals) > 0 {
		t.Fatal(found.Refusals)
	}
	rehearsal, _ := recipe.Rehearsal("rehearsal" + e.suffix)
	id, _, err := Create(t.Context(), e, rehearsal, image)
	if err != nil {
		t.Fatal(err)
	}
	e.removeAtEnd(id)
	e.start(id) // beside the live one
	made := e.inspect(id)
	endpoint := made.NetworkSettings.Networks[front]
	if endpoint.IPAddress.String() == "10.213.9.9" || slices.Contains(endpoint.Aliases, "gateway") || len(made.NetworkSettings.Ports[network.MustParsePort("5052/tcp")]) > 0 {
		t.Errorf("users can reach the rehearsal: %+v, ports %v", endpoint, made.NetworkSettings.Ports)
	}
	if made.Config.Labels["com.docker.compose.service"] != "" {
		t.Error("compose would take the rehearsal for its own")
	}
	for _, m := range made.Mounts {
		if m.RW && m.Destination != "/tmp" {
			t.Errorf("the rehearsal can write to %s", m.Destination)
		}
	}
	if live := e.inspect(live.ID); live.State.Status != container.StateRunning {
		t.Errorf("the live gateway is %s", live.State.Status)
	}
}

func TestRefusedOnEngine(t *testing.T) {
	t.Parallel()
	e := newRealEngine(t)
	image := e.image("1", `CMD ["/still"]`)
	parent := e.run(client.ContainerCreateOptions{Name: "parent", Config: &container.Config{Image: image}})
	removed := e.run(client.ContainerCreateOptions{Name: "rm", Config: &container.Config{Image: image}, HostConfig: &container.HostConfig{AutoRemove: true}})
	child := e.run(client.ContainerCreateOptions{Name: "child", Config: &container.Config{Image: image}, HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode("container:" + parent.ID)}})
	for _, test := range []struct {
		old  Inspected
		want string
	}{
		{removed, "--rm"},
		{child, "uses the network of another container"},
		{parent, "uses its network"},
	} {
		_, found := Copy(Source{Container: test.old, Image: e.imageConfig(image), Others: e.others(test.old), API: e.ClientVersion()})
		if len(found.Refusals) != 1 || !strings.Contains(found.Refusals[0], test.want) {
			t.Errorf("%s: refused for %q, want %q", test.old.Name, found.Refusals, test.want)
		}
	}
}
