package docker

import (
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	// No container from such an image lacks the label.
	labelled := ImageConfig{}
	labelled.Labels = map[string]string{"theirs": "1"}

	otherID := strings.Repeat("0", 64)
	other := func(change func(*container.InspectResponse)) func(t *testing.T) Inspected {
		return func(t *testing.T) Inspected {
			return inspected(t, func(c *container.InspectResponse) {
				c.ID, c.Name = otherID, "/other"
				change(c)
			})
		}
	}
	for name, test := range map[string]struct {
		change  func(*container.InspectResponse)
		unknown []string
		other   func(*testing.T) Inspected
		gone    bool // the image
		image   ImageConfig
		want    string
	}{
		"nothing wrong": {},
		"--rm":          {change: func(c *container.InspectResponse) { c.HostConfig.AutoRemove = true }, want: "--rm"},
		"another's network": {change: func(c *container.InspectResponse) {
			c.HostConfig.NetworkMode = "container:x"
			c.NetworkSettings.Networks = nil
		},
			want: "uses the network of another container (container:x)"},
		"disconnected": {change: func(c *container.InspectResponse) { c.HostConfig.NetworkMode = "front" },
			want: "docker network connect front gitlab-aigw"},
		"disconnected from the bridge": {change: func(c *container.InspectResponse) {
			c.NetworkSettings.Networks = map[string]*network.EndpointSettings{"front": {}}
		}, want: "docker network connect bridge gitlab-aigw"},
		"swarm": {change: func(c *container.InspectResponse) {
			c.Config.Labels = map[string]string{"com.docker.swarm.service.name": "duo"}
		}, want: "docker service update --image new duo"},
		"unknown":       {unknown: []string{"HostConfig.Umbrella"}, want: "HostConfig.Umbrella"},
		"not the same":  {image: labelled, want: "Config.Labels.theirs would not survive"},
		"image gone":    {gone: true, want: "docker pull registry.example.com/model-gateway:self-hosted-v18.2.1-ee"},
		"volumes' gone": {change: func(c *container.InspectResponse) { c.HostConfig.VolumesFrom = []string{"data:ro"} }, want: `container "data", which is gone`},
		"strange mount": {change: func(c *container.InspectResponse) {
			c.Mounts = []container.MountPoint{{Type: mount.TypeBind, Source: "/a", Destination: "/b"}}
		}, want: "mount at /b"},
		"shares network": {other: other(func(c *container.InspectResponse) { c.HostConfig.NetworkMode = "container:" + gatewayID }), want: "container other uses its network"},
		"shares PIDs":    {other: other(func(c *container.InspectResponse) { c.HostConfig.PidMode = "container:gitlab-aigw" }), want: "container other uses its PID namespace"},
		"shares IPC": {other: other(func(c *container.InspectResponse) {
			c.HostConfig.IpcMode = container.IpcMode("container:" + gatewayID[:shortID])
		}), want: "container other uses its IPC namespace"},
		"linked to":           {other: other(func(c *container.InspectResponse) { c.HostConfig.Links = []string{"/gitlab-aigw:/other/gw"} }), want: "container other is linked to it"},
		"shares with a third": {other: other(func(c *container.InspectResponse) { c.HostConfig.NetworkMode = "container:gitlab" })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := Source{Container: inspected(t, test.change), Image: &test.image, API: "1.41", Reference: "new"}
			from.Container.Unknown = test.unknown
			if test.other != nil {
				from.Others = []Inspected{test.other(t)}
			}
			if test.gone {
				from.Image = nil
			}
			_, found := Copy(from)
			if test.want == "" && len(found.Refusals) == 0 {
				return
			}
			if len(found.Refusals) != 1 || test.want == "" || !strings.Contains(found.Refusals[0], test.want) {
				t.Errorf("refusals %q, want one with %q", found.Refusals, test.want)
			}
		})
	}
}
