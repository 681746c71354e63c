package docker

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/version"
)

func TestInstall(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line  version.Line
		ports []string
		names []string
	}{
		{version.Line{Major: 17, Minor: 5}, []string{"5052/tcp"}, []string{"AIGW_GITLAB_API_URL", "AIGW_GITLAB_URL"}},
		{version.Line{Major: 18, Minor: 4}, []string{"5052/tcp", "50052/tcp"},
			[]string{"AIGW_GITLAB_API_URL", "AIGW_GITLAB_URL", "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY"}},
		{version.Line{Major: 18, Minor: 9}, []string{"5052/tcp", "50052/tcp"}, []string{
			"AIGW_GITLAB_API_URL", "AIGW_GITLAB_URL", "AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY",
			"DUO_WORKFLOW_AUTH__ENABLED", "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY", "DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY",
		}},
	} {
		t.Run(test.line.String(), func(t *testing.T) {
			t.Parallel()
			r, _, err := Install(InstallOptions{Name: "gitlab-aigw", GitLabURL: "https://gitlab.example.com", Line: test.line, Random: rand.Reader})
			if err != nil {
				t.Fatal(err)
			}
			var ports []string
			for port, bindings := range r.HostConfig.PortBindings {
				ports = append(ports, port.String())
				if bindings[0].HostPort != port.Port() {
					t.Errorf("port %s is published as %s", port, bindings[0].HostPort)
				}
			}
			slices.SortFunc(ports, func(a, b string) int { return len(a) - len(b) })
			if diff := cmp.Diff(test.ports, ports); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.names, r.Origin.Environment); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			env := variables(r.Config.Env)
			if url, _ := env.get("AIGW_GITLAB_API_URL"); url != "https://gitlab.example.com/api/v4/" {
				t.Errorf("API URL %q", url)
			}
			for _, name := range gateway.For(test.line).Keys {
				key, _ := env.get(name)
				if err := gateway.CheckKey(key); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if got := r.HostConfig.RestartPolicy.Name; got != "unless-stopped" {
				t.Errorf("restart policy %q", got)
			}
		})
	}
}

func TestInstallWithSettings(t *testing.T) {
	t.Parallel()
	r, _, err := Install(InstallOptions{
		Name: "gw", Ports: []string{"none"}, Network: "proxy-network", Restart: "always", Memory: "2g", Mounts: []string{"/srv:/srv:ro"},
		GitLabURL: "https://gitlab.example.com", Line: version.Line{Major: 17, Minor: 5},
		Declared: Declared{Environment: map[string]secret.Value{"AIGW_GITLAB_URL": "https://inside.example.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	url, _ := variables(r.Config.Env).get("AIGW_GITLAB_URL")
	if url != "https://inside.example.com" || r.HostConfig.Memory != 2<<30 || r.HostConfig.NetworkMode != "proxy-network" ||
		r.Networks["proxy-network"] == nil || len(r.HostConfig.PortBindings) != 0 || len(r.HostConfig.Mounts) != 1 {
		t.Errorf("url %q, host config %+v", url, r.HostConfig)
	}
	if len(r.Exclusive()) != 0 {
		t.Errorf("exclusive: %q", r.Exclusive())
	}
}

func TestInstallReportsAllMistakes(t *testing.T) {
	t.Parallel()
	_, _, err := Install(InstallOptions{Name: "-", Ports: []string{"x"}, Network: "host", Restart: "often", Memory: "256m", Mounts: []string{"a"}, Line: version.Line{Major: 18, Minor: 2}})
	for _, want := range []string{"container name", "port", "network", "restart", "needs at least 512m", "mount"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word about %s: %v", want, err)
		}
	}
}
