package docker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

func TestDifferencesAndCompare(t *testing.T) {
	t.Parallel()
	oldImage, newImage := ImageConfig{}, ImageConfig{}
	oldImage.Env, newImage.Env = []string{"IMAGE=old"}, []string{"IMAGE=new"}
	container1 := func(image string, env ...string) Inspected {
		return inspected(t, func(c *container.InspectResponse) { c.Config.Image, c.Config.Env = image, env })
	}
	old := container1("gw:1", "AIGW_GITLAB_URL=https://gitlab.example.com", "TOKEN=sesame-1", "IMAGE=old")
	recipe := copyOf(t, old, oldImage)
	recipe.Declare(Declared{Environment: map[string]secret.Value{"TOKEN": "sesame-2", "AIGW_GITLAB_URL": "https://git.example.com"}})
	planned := Differences(&old, recipe, "gw:2", newImage)

	want := []upgrade.Change{
		{Field: "environment.AIGW_GITLAB_URL", From: "https://gitlab.example.com", To: "https://git.example.com"},
		{Field: "environment.IMAGE", From: "(set)", To: "(changed)"},
		{Field: "environment.TOKEN", From: "(set)", To: "(changed)"},
		{Field: "image", From: "gw:1", To: "gw:2"},
	}
	if diff := cmp.Diff(want, Changes(planned)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if before := Changes(Differences(&old, recipe, "gw:2", oldImage)); len(before) != 3 {
		t.Errorf("before the image is known: %v, want what was declared", before)
	}

	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"as planned":          {[]string{"AIGW_GITLAB_URL=https://git.example.com", "TOKEN=sesame-2", "IMAGE=new"}, "[]"},
		"in another order":    {[]string{"IMAGE=new", "TOKEN=sesame-2", "AIGW_GITLAB_URL=https://git.example.com"}, "[]"},
		"another secret":      {[]string{"AIGW_GITLAB_URL=https://git.example.com", "TOKEN=sesame-3", "IMAGE=new"}, `[environment.TOKEN: "(set)" -> "(changed)"]`},
		"one too many":        {[]string{"AIGW_GITLAB_URL=https://git.example.com", "TOKEN=sesame-2", "IMAGE=new", "X="}, `[environment.X: "" -> "(empty)"]`},
		"not applied":         {[]string{"AIGW_GITLAB_URL=https://git.example.com", "TOKEN=sesame-1", "IMAGE=new"}, `[environment.TOKEN: "(set)" -> "(set)"]`},
		"lost a user's value": {[]string{"TOKEN=sesame-2", "IMAGE=new"}, `[environment.AIGW_GITLAB_URL: "https://gitlab.example.com" -> ""]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := fmt.Sprint(Compare(old, container1("gw:2", test.env...), planned))
			if got != test.want {
				t.Errorf("unexpected: %s, want %s", got, test.want)
			}
		})
	}
}

func TestCompareIgnoresWhatTheEngineGenerates(t *testing.T) {
	t.Parallel()
	old := inspected(t, nil)
	made := inspected(t, func(c *container.InspectResponse) {
		c.ID = strings.Repeat("a", 64)
		c.Config.Hostname = c.ID[:shortID]
		c.Created, c.RestartCount, c.LogPath = "2026-01-01T00:00:00Z", 4, "/var/log/x"
		c.Config.Labels = map[string]string{LabelRun: "job", LabelEnvironment: ""}
		c.NetworkSettings.Networks["bridge"] = &network.EndpointSettings{
			EndpointID: "x", MacAddress: network.HardwareAddr{2, 0x42, 1, 2, 3, 4}, Aliases: []string{c.ID[:shortID]}, DNSNames: []string{"x"},
		}
	})
	if found := Compare(old, made, nil); len(found) > 0 {
		t.Errorf("unexpected: %v", found)
	}
}

// TestNoSecretIsShown puts a secret wherever users put them and looks for it in
// everything that a plan, a report or a careless format verb would print.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	const sesame = "open-sesame"
	r := settled(inspected(t, func(c *container.InspectResponse) {
		c.Config.Env = []string{"ANTHROPIC_API_KEY=" + sesame, "HTTPS_PROXY=http://u:" + sesame + "@proxy.example.com", "AIGW_GITLAB_URL=https://u:" + sesame + "@gitlab.example.com"}
		c.Config.Cmd, c.Config.Entrypoint = []string{"--key", sesame}, []string{sesame}
		c.Config.Labels = map[string]string{"auth": sesame}
		c.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", sesame}}
		c.HostConfig.LogConfig = container.LogConfig{Type: "splunk", Config: map[string]string{"splunk-token": sesame}}
		c.HostConfig.Annotations = map[string]string{"x": sesame}
		c.HostConfig.StorageOpt = map[string]string{"x": sesame}
		c.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeVolume, Target: "/x", VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Options: map[string]string{"o": "password=" + sesame}}}}}
		c.NetworkSettings.Networks["bridge"].DriverOpts = map[string]string{"x": sesame}
	}))
	found := between(Recipe{}, r)
	printed := fmt.Sprintf("%v %+v %#v %v %+v %#v %v", found, found, found, r, r, r, Changes(found))
	if i := strings.Index(printed, sesame); i >= 0 {
		t.Errorf("a secret is shown: %s", printed[max(0, i-80):i+len(sesame)])
	}
	if !strings.Contains(printed, "environment.ANTHROPIC_API_KEY") || !strings.Contains(printed, "xxxxx@gitlab.example.com") {
		t.Errorf("what may be shown is not: %s", printed)
	}
}
