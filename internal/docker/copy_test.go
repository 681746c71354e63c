package docker

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

// fill sets every field below v to something that is not its zero value, so that a
// field which a newer library brings cannot be forgotten.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *netip.Addr:
		*x = netip.MustParseAddr("192.0.2.1")
		return
	case *network.HardwareAddr:
		*x = network.HardwareAddr{2, 0x42, 1, 2, 3, 4}
		return
	case *network.Port:
		*x = network.MustParsePort("5052/tcp")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("no value for a %s: teach fill", v.Type())
	}
}

// full is a container in which every setting that the library knows is set.
func full(t *testing.T) Inspected {
	t.Helper()
	return inspected(t, func(c *container.InspectResponse) {
		fill(t, reflect.ValueOf(c.Config).Elem())
		fill(t, reflect.ValueOf(c.HostConfig).Elem())
		c.Config.Env = []string{"X=1"}
		c.HostConfig.NetworkMode = "front"
		c.HostConfig.UTSMode = "" // with the host's there is no hostname
		c.HostConfig.CapAdd, c.HostConfig.CapDrop = []string{"CAP_CHOWN"}, []string{"CAP_KILL"}
		c.HostConfig.Links = []string{"db:alias"}
		endpoint := new(network.EndpointSettings)
		fill(t, reflect.ValueOf(endpoint).Elem())
		endpoint.Links = []string{"db:alias"}
		c.NetworkSettings.Networks = map[string]*network.EndpointSettings{"front": endpoint}
	})
}

func TestCopyForgetsNoField(t *testing.T) {
	t.Parallel()
	in := full(t)
	r, found := Copy(Source{Container: in, Image: &ImageConfig{}, API: "1.41"})
	for _, reason := range found.Refusals {
		if strings.Contains(reason, "fault in aigw-ci") {
			t.Error(reason)
		}
	}
	want := *in.Config
	want.Image = ""
	if diff := cmp.Diff(&want, r.Config, cmpopts.EquateComparable(network.Port{})); diff != "" {
		t.Errorf("Config (-container +recipe):\n%s", diff)
	}
	if diff := cmp.Diff(in.HostConfig, r.HostConfig, cmpopts.EquateComparable(network.Port{}, netip.Addr{})); diff != "" {
		t.Errorf("HostConfig (-container +recipe):\n%s", diff)
	}

	// Of an endpoint, everything is carried but what the engine fills in.
	endpoint := reflect.ValueOf(*r.Networks["front"])
	operational := []string{"NetworkID", "EndpointID", "Gateway", "IPAddress", "MacAddress", "IPPrefixLen", "IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen", "DNSNames"}
	for i := range endpoint.NumField() {
		name := endpoint.Type().Field(i).Name
		if endpoint.Field(i).IsZero() != slices.Contains(operational, name) {
			t.Errorf("EndpointSettings.%s: carried is %v", name, !endpoint.Field(i).IsZero())
		}
	}
}

// TestCompareSeesEveryField takes each field away in turn, or sets the one that is not.
func TestCompareSeesEveryField(t *testing.T) {
	t.Parallel()
	blind := func(r Recipe, part any) {
		v := reflect.ValueOf(part).Elem()
		for _, field := range reflect.VisibleFields(v.Type()) {
			if field.Anonymous || field.Name == "Image" || field.Name == "ArgsEscaped" { // the one has a name of its own, the other is for Windows
				continue
			}
			changed := r.clone()
			target := reflect.ValueOf(changed.Config).Elem()
			if v.Type() == reflect.TypeFor[container.HostConfig]() {
				target = reflect.ValueOf(changed.HostConfig).Elem()
			}
			if f := target.FieldByIndex(field.Index); f.IsZero() {
				fill(t, f)
			} else {
				f.SetZero()
			}
			if len(between(r, changed)) == 0 {
				t.Errorf("a change of %s.%s is not seen", v.Type().Name(), field.Name)
			}
		}
	}
	r := settled(full(t))
	blind(r, r.Config)
	blind(r, r.HostConfig)
}

func TestCopyTakesOutDefaults(t *testing.T) {
	t.Parallel()
	image := ImageConfig{}
	image.Env = []string{"PATH=/bin", "BOTH=image"}
	image.Cmd, image.User, image.WorkingDir, image.StopSignal = []string{"./run.sh"}, "aigateway", "/home/aigateway/app", "SIGINT"
	image.Labels = map[string]string{"a": "image", "b": "image"}
	image.Volumes = map[string]struct{}{"/image": {}}
	image.ExposedPorts = map[string]struct{}{"5052/tcp": {}, "8082/tcp": {}}
	image.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "x"}, Interval: time.Minute, Retries: 3}

	for name, test := range map[string]struct {
		user, want container.Config
		origin     Origin
		labels     map[string]string
	}{
		"nothing set": {origin: Origin{}},
		"everything set": {
			user: container.Config{
				Env: []string{"BOTH=mine", "MINE=1", "PATH"}, Cmd: []string{"x"}, User: "0", WorkingDir: "/", StopSignal: "SIGTERM",
				Labels: map[string]string{"a": "mine"}, Healthcheck: &container.HealthConfig{Interval: time.Second},
			},
			want: container.Config{
				Env: []string{"BOTH=mine", "MINE=1", "PATH"}, Cmd: []string{"x"}, User: "0", WorkingDir: "/", StopSignal: "SIGTERM",
				Labels: map[string]string{"a": "mine"}, Healthcheck: &container.HealthConfig{Interval: time.Second},
			},
			origin: Origin{Environment: []string{"BOTH", "MINE", "PATH"}, Settings: []string{"command", "stopsignal", "user", "workdir"}},
		},
		"the same as the image, so taken for the image's": {user: container.Config{Env: []string{"BOTH=image"}, User: "aigateway"}},
		"the same as the image, but recorded": {
			user:   container.Config{Env: []string{"BOTH=image"}, User: "aigateway", Cmd: []string{"./run.sh"}},
			labels: map[string]string{LabelEnvironment: "BOTH", LabelSettings: "command,user"},
			want:   container.Config{Env: []string{"BOTH=image"}, User: "aigateway", Cmd: []string{"./run.sh"}},
			origin: Origin{Environment: []string{"BOTH"}, Settings: []string{"command", "user"}},
		},
		"an entrypoint hides the image's command": {
			user:   container.Config{Entrypoint: []string{"/mine"}},
			want:   container.Config{Entrypoint: []string{"/mine"}},
			origin: Origin{Settings: []string{"entrypoint"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := inspected(t, func(c *container.InspectResponse) {
				user := copied(&test.user)
				withDefaults(user, image) // as the engine does
				for k, v := range test.labels {
					user.Labels[k] = v
				}
				c.Config = user
			})
			r := copyOf(t, in, image)
			if diff := cmp.Diff(test.want, *r.Config, cmpopts.EquateEmpty(), cmpopts.EquateComparable(network.Port{})); diff != "" {
				t.Errorf("recipe (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.origin, r.Origin, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("origin (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCopyKeepsPublishedPortsExposed(t *testing.T) {
	t.Parallel()
	port := network.MustParsePort("5052/tcp")
	image := ImageConfig{}
	image.ExposedPorts = map[string]struct{}{"5052/tcp": {}}
	r := copyOf(t, inspected(t, func(c *container.InspectResponse) {
		c.Config.ExposedPorts = network.PortSet{port: {}}
		c.HostConfig.PortBindings = network.PortMap{port: {{HostPort: "5052"}}}
	}), image)
	if _, ok := r.Config.ExposedPorts[port]; !ok {
		t.Error("the published port is not exposed when the next image does not expose it")
	}
}

func TestCopyNamesAnonymousVolumes(t *testing.T) {
	t.Parallel()
	image := ImageConfig{}
	image.Volumes = map[string]struct{}{"/image": {}}
	r := copyOf(t, inspected(t, func(c *container.InspectResponse) {
		c.Config.Volumes = map[string]struct{}{"/image": {}, "/option": {}}
		c.HostConfig.Binds = []string{"/bind", "named:/named:ro"}
		c.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeVolume, Target: "/mount"}, {Type: mount.TypeVolume, Target: bundleDir}}
		for _, place := range []string{"/option", "/bind", "/mount", "/image", "/named", bundleDir} {
			c.Mounts = append(c.Mounts, container.MountPoint{Type: mount.TypeVolume, Name: "v" + place[1:], Destination: place, RW: place != "/option"})
		}
	}), image)
	if diff := cmp.Diff([]string{"vbind:/bind", "named:/named:ro"}, r.HostConfig.Binds); diff != "" {
		t.Errorf("binds (-want +got):\n%s", diff)
	}
	want := []mount.Mount{
		{Type: mount.TypeVolume, Source: "vmount", Target: "/mount"},
		{Type: mount.TypeVolume, Source: "vimage", Target: "/image"},
		{Type: mount.TypeVolume, Source: "voption", Target: "/option", ReadOnly: true},
	}
	if diff := cmp.Diff(want, r.HostConfig.Mounts); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestCopyLeavesInheritedVolumesToTheirSource(t *testing.T) {
	t.Parallel()
	in := inspected(t, func(c *container.InspectResponse) {
		c.HostConfig.VolumesFrom = []string{"data:ro"}
		c.Mounts = []container.MountPoint{{Type: mount.TypeVolume, Name: "theirs", Destination: "/theirs"}}
	})
	data := inspected(t, func(c *container.InspectResponse) { c.Name = "/data" })
	r, found := Copy(Source{Container: in, Image: &ImageConfig{}, Others: []Inspected{data}, API: "1.41"})
	if len(found.Refusals) > 0 || len(r.HostConfig.Mounts) > 0 {
		t.Errorf("mounts %v, refusals %q", r.HostConfig.Mounts, found.Refusals)
	}
}

func TestCopyDropsWhatTheEngineMade(t *testing.T) {
	t.Parallel()
	r := copyOf(t, inspected(t, func(c *container.InspectResponse) {
		c.HostConfig.NetworkMode = container.NetworkMode(strings.Repeat("f", 64))
		c.HostConfig.Links = []string{"/models:/gitlab-aigw/llm"}
		c.Config.Labels = map[string]string{LabelRole: "gateway", "mine": "1"}
		c.NetworkSettings.Networks = map[string]*network.EndpointSettings{
			"back":   {Aliases: []string{"back", gatewayID[:shortID]}},
			"front":  {NetworkID: strings.Repeat("f", 64), Aliases: []string{gatewayID[:shortID], "duo"}, MacAddress: network.HardwareAddr{2, 0x42, 1, 2, 3, 4}},
			"bridge": {Aliases: []string{"x"}},
		}
	}), ImageConfig{})
	if r.Config.Hostname != "" {
		t.Errorf("hostname %q", r.Config.Hostname)
	}
	if r.HostConfig.NetworkMode != "front" || r.MAC != nil {
		t.Errorf("network mode %q, MAC %s", r.HostConfig.NetworkMode, r.MAC)
	}
	if diff := cmp.Diff([]string{"models:llm"}, r.HostConfig.Links); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"mine": "1"}, r.Config.Labels); diff != "" {
		t.Error(diff)
	}
	got := fmt.Sprint(r.Networks["back"].Aliases, r.Networks["front"].Aliases, r.Networks["bridge"].Aliases)
	if got != "[back] [duo] []" {
		t.Errorf("aliases %s", got)
	}
}

func TestCopyMAC(t *testing.T) {
	t.Parallel()
	parse := func(s string) (mac network.HardwareAddr) {
		if err := mac.UnmarshalText([]byte(s)); err != nil {
			t.Fatal(err)
		}
		return mac
	}
	for name, test := range map[string]struct{ configured, used, want string }{
		"generated":                            {"", "02:42:ac:11:00:02", ""},
		"generated at random":                  {"", "7e:11:22:33:44:55", ""},
		"chosen":                               {"02:42:11:22:33:44", "02:42:11:22:33:44", "02:42:11:22:33:44"},
		"generated, and reported as chosen":    {"02:42:ac:11:00:02", "02:42:ac:11:00:02", ""},
		"chosen, on an engine that hides that": {"", "00:11:22:33:44:55", "00:11:22:33:44:55"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := inspected(t, func(c *container.InspectResponse) {
				c.NetworkSettings.Networks["bridge"].IPAddress = netip.MustParseAddr("172.17.0.2")
				c.NetworkSettings.Networks["bridge"].MacAddress = parse(test.used)
			})
			in.MAC = parse(test.configured)
			r, found := Copy(Source{Container: in, Image: &ImageConfig{}, API: "1.44"})
			if len(found.Refusals) > 0 || r.MAC.String() != test.want {
				t.Errorf("MAC %q, want %q; refusals %q", r.MAC, test.want, found.Refusals)
			}
			if _, found := Copy(Source{Container: in, Image: &ImageConfig{}, API: "1.43"}); (len(found.Refusals) > 0) != (test.want != "") {
				t.Errorf("an engine that cannot take the address: refusals %q", found.Refusals)
			}
		})
	}
}

func TestCopyNotesCompose(t *testing.T) {
	t.Parallel()
	in := inspected(t, func(c *container.InspectResponse) {
		c.Config.Labels = map[string]string{"com.docker.compose.service": "gateway\x1b[31m", "com.docker.compose.project.config_files": "/srv/compose.yaml"}
		c.HostConfig.PortBindings = network.PortMap{network.MustParsePort("5052/tcp"): {{HostPort: ""}}}
	})
	r, found := Copy(Source{Container: in, Image: &ImageConfig{}, API: "1.41", Reference: "registry.example.com/gw:2"})
	if r.Config.Labels["com.docker.compose.service"] == "" {
		t.Error("compose's labels are not kept")
	}
	notes := strings.Join(found.Notes, "\n")
	for _, want := range []string{"service gateway in /srv/compose.yaml to registry.example.com/gw:2", "port 5052/tcp"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note has %q:\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "\x1b") {
		t.Error("a label's escape sequence reaches the log")
	}
}
