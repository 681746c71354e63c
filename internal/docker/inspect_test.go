package docker

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

const smallest = `{"Id":"` + gatewayID + `","Name":"/gw","Config":{},"HostConfig":{}}`

func TestReadInspectNamesUnknownSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		raw  string
		want []string
	}{
		"nothing new": {`{"Id":"` + gatewayID + `","Config":{"Hostname":"x"},"HostConfig":{"Memory":1}}`, nil},
		"new and not used": {`{"Id":"` + gatewayID + `","Config":{"New":"","Newer":[]},
			"HostConfig":{"KernelMemory":0,"Newest":{"A":{"B":0},"C":[null,false]}}}`, nil},
		"removed from the library": {`{"Id":"` + gatewayID + `","Config":{},"HostConfig":{"KernelMemory":1048576}}`,
			[]string{"HostConfig.KernelMemory"}},
		"deep down": {`{"Id":"` + gatewayID + `","Config":{"Healthcheck":{"Test":["CMD","x"],"Mood":"good"}},
			"HostConfig":{"Mounts":[{"Type":"bind","Source":"/a","Target":"/a"},{"Type":"bind","Target":"/b","BindOptions":{"Sticky":true}}]},
			"NetworkSettings":{"Networks":{"front":{"Aliases":["a"],"Colour":"red"}}}}`,
			[]string{"Config.Healthcheck.Mood", "HostConfig.Mounts[1].BindOptions.Sticky", "NetworkSettings.Networks.front.Colour"}},
		"state does not matter":    {`{"Id":"` + gatewayID + `","Weather":"fine","State":{"Mood":"good"},"Config":{},"HostConfig":{}}`, nil},
		"the address is read here": {`{"Id":"` + gatewayID + `","Config":{"MacAddress":"02:42:11:22:33:44"},"HostConfig":{}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := ReadInspect(json.RawMessage(test.raw))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, in.Unknown, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("unknown settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadInspectRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		``, `null`, `[]`, `{}`, `{"Id":"short","Config":{},"HostConfig":{}}`, `{"Id":"` + gatewayID + `","Config":{}}`,
		`{"Id":"` + gatewayID + `","Config":{"MacAddress":"nonsense"},"HostConfig":{}}`,
		`{"Id":"` + gatewayID + `","Config":{"Env":"A=1"},"HostConfig":{}}`,
	} {
		if _, err := ReadInspect(json.RawMessage(raw)); err == nil {
			t.Errorf("%s is accepted", raw)
		}
	}
}

// FuzzReadInspect reads whatever an engine may answer. What can be read can be
// copied without a panic.
func FuzzReadInspect(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add([]byte(`{"Id":"` + gatewayID + `","Config":{"ExposedPorts":{"5052/tcp":{}}},"HostConfig":{"NetworkMode":"x"},"NetworkSettings":{"Networks":{"x":null}},"Mounts":[{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := ReadInspect(raw)
		if err != nil {
			return
		}
		r, _ := Copy(Source{Container: in, Image: &ImageConfig{}, API: "1.41"})
		_, _ = r.Rehearsal("rehearsal")
		_ = r.Exclusive()
	})
}

// FuzzCopy copies a container with odd settings: whatever they are, the same image
// must give the same container, and a copy of the copy the same recipe.
func FuzzCopy(f *testing.F) {
	f.Add("A=1", "A", "/still", "", "/b", "c:/d:ro,Z", "/v", "/a:/gw/b", "front", "alias")
	f.Add("A=", "=", "", "x", "c:/d", "/d/", "/d", "c", "default", gatewayID[:shortID])
	f.Fuzz(func(t *testing.T, entry, provided, entrypoint, command, bind, other, volume, link, mode, alias string) {
		image := ImageConfig{}
		image.Env, image.Cmd, image.Volumes = []string{provided, "IMAGE=1"}, []string{command}, map[string]struct{}{volume: {}}
		in := inspected(t, func(c *container.InspectResponse) {
			c.Config.Env, c.Config.Entrypoint = []string{entry, provided}, []string{entrypoint}
			c.Config.Volumes = map[string]struct{}{bind: {}}
			withDefaults(c.Config, image) // as the engine does
			c.HostConfig.Binds, c.HostConfig.Links = []string{bind, other}, []string{link}
			c.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeVolume, Target: volume}}
			c.HostConfig.NetworkMode = container.NetworkMode(mode)
			c.NetworkSettings.Networks = map[string]*network.EndpointSettings{mode: {Aliases: []string{alias}}, "bridge": nil}
			for _, place := range []string{bind, other, volume} {
				c.Mounts = append(c.Mounts, container.MountPoint{Type: mount.TypeVolume, Name: "v", Destination: place})
			}
		})
		r, found := Copy(Source{Container: in, Image: &image, API: "1.41"})
		for _, reason := range found.Refusals {
			if strings.Contains(reason, "fault in aigw-ci") {
				t.Error(reason)
			}
		}
		_, _ = r.Rehearsal("rehearsal")
		made := in
		made.Config, made.HostConfig = r.made(image).Config, r.HostConfig
		if found := Compare(in, made, []Difference{{Field: "image", from: in.Config.Image}}); len(found) > 0 {
			t.Errorf("a copy differs: %v", found)
		}
	})
}
