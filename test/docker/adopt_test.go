//go:build docker

package docker

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/image"
)

// GitLab's page starts the gateway without a name:
//
//	docker run -d -p 5052:5052 -e AIGW_GITLAB_URL=... -e AIGW_GITLAB_API_URL=... -e DUO_WORKFLOW_...KEY=... IMAGE
//
// Any run of the program on the engine would take it over. So nothing else runs
// meanwhile: this test and the next are not parallel.
func TestAdoptUnnamed(t *testing.T) {
	w := newWorld(t)
	w.settings["AIGW_CI_DOCKER_CONTAINER"] = w.name // nothing has it
	w.pull(tag182)
	exposed, bindings := publish(w.port, "5052")
	old := w.dockerRun("", object{
		"Image":        w.settings["AIGW_CI_IMAGE_REPOSITORY"] + ":" + tag182,
		"Env":          w.environment(),
		"ExposedPorts": exposed,
		"HostConfig":   object{"PortBindings": bindings},
	})
	w.name = strings.TrimPrefix(old.Name, "/")
	w.estate.SetVersion("18.3.6-ee")

	r := w.run("upgrade", 0, "upgraded")
	made := w.serves(tag183)
	r.Says(t, `the gateway is `+w.name)
	want := []string{
		"~Config.Cmd[0] ./run.sh -> ./scripts/run.sh", // the new image's own, and not the old one's
		"~Config.Env[LAB_LINE] 18.2 -> 18.3",
		"~Config.Image",
		"~Path ./run.sh -> ./scripts/run.sh",
	}
	got := changedSettings(t, old, made)
	if diff := cmp.Diff(want, brief(got, want)); diff != "" {
		t.Errorf("the settings that changed (-want +got):\n%s", diff)
	}
	w.alone()
	w.run("upgrade", 0, "unchanged")
	w.run("verify", 0, "verified")
}

// brief cuts the values off where the expectation has none.
func brief(got, want []string) []string {
	short := make([]string, len(got))
	for i, line := range got {
		short[i] = line
		if path, _, _ := strings.Cut(line, " "); slices.Contains(want, path) {
			short[i] = path
		}
	}
	return short
}

func TestAdoptRefusesToChoose(t *testing.T) {
	w := newWorld(t)
	w.pull(tag182)
	var both []*dockerd.Container
	for range 2 {
		both = append(both, w.dockerRun("", object{"Image": w.settings["AIGW_CI_IMAGE_REPOSITORY"] + ":" + tag182, "Env": w.environment()}))
	}
	w.estate.SetVersion("18.3.6-ee")
	r := w.run("upgrade", 1, "failed")
	for _, c := range both {
		r.Says(t, strings.TrimPrefix(c.Name, "/"))
		if now := w.inspect(t, c.ID); now.State.StartedAt != c.State.StartedAt {
			t.Errorf("%s was touched", c.Name)
		}
	}
	r.Says(t, "docker.container")
}

// What was started with `docker run` and everything that people add to it is kept.
func TestAdoptKeepsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mirror(image.Options{Tag: tag182}, image.Options{Tag: tag183})
	front, prefix := w.network("front")
	back, _ := w.network("back")
	exposed, bindings := publish("127.0.0.1:"+w.port, "5052")
	named := w.volume("cache")
	old := w.dockerRun(w.name, object{
		"Image":        w.pull(tag182),
		"Hostname":     "duo",
		"User":         "0:0",
		"Env":          append(w.environment(), "AIGW_LOGGING__LEVEL=debug", "EMPTY=", "HF_HUB_OFFLINE=false"),
		"ExposedPorts": exposed,
		"Volumes":      object{"/data": object{}},
		"StopTimeout":  20,
		"Labels": object{
			"com.docker.compose.project":              "duo",
			"com.docker.compose.service":              "gateway",
			"com.docker.compose.project.config_files": "/srv/duo/compose.yaml",
			"owner": "platform team",
		},
		"Healthcheck": object{"Test": []string{"CMD", "/peer", "healthy"}, "Interval": 1e9, "Retries": 2},
		"HostConfig": object{
			"Binds":         []string{named + ":/cache", shared.peer + ":/peer:ro"},
			"PortBindings":  bindings,
			"NetworkMode":   front,
			"RestartPolicy": object{"Name": "always"},
			"Memory":        512 << 20,
			"NanoCpus":      15e8,
			"PidsLimit":     500,
			"Ulimits":       []object{{"Name": "nofile", "Soft": 4096, "Hard": 8192}},
			"ExtraHosts":    []string{"models.example.com:192.0.2.7"},
			"LogConfig":     object{"Type": "json-file", "Config": object{"max-size": "1m", "max-file": "2"}},
			"CapDrop":       []string{"CAP_MKNOD"},
			"SecurityOpt":   []string{"no-new-privileges"},
			"ShmSize":       32 << 20,
			"Tmpfs":         object{"/scratch": "size=1m"},
			"Devices":       []object{{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "r"}},
			"Dns":           []string{"192.0.2.53"},
			"Init":          true,
		},
		"NetworkingConfig": object{"EndpointsConfig": object{
			front: object{"Aliases": []string{"duo-gateway"}, "IPAMConfig": object{"IPv4Address": prefix + ".77"}},
		}},
	})
	w.must(t, http.MethodPost, "/networks/"+back+"/connect", object{
		"Container": old.ID, "EndpointConfig": object{"Aliases": []string{"models-side"}},
	}, nil)
	w.write(old.ID, "/data/kept", "in the anonymous volume")
	w.write(old.ID, "/cache/kept", "in the named volume")
	old = w.inspect(t, old.ID)
	anonymous := ""
	for _, m := range old.Mounts {
		if m.Destination == "/data" {
			anonymous = m.Name
		}
	}
	w.estate.SetVersion("18.3.6-ee")

	r := w.run("upgrade", 0, "upgraded")
	made := w.serves(tag183)
	r.Says(t, "/srv/duo/compose.yaml")
	want := []string{
		"+HostConfig.Mounts[/data].Source", // the volume that was anonymous, by its name
		"+HostConfig.Mounts[/data].Target /data",
		"+HostConfig.Mounts[/data].Type volume",
		"~Config.Cmd[0] ./run.sh -> ./scripts/run.sh",
		"~Config.Env[LAB_LINE] 18.2 -> 18.3",
		"~Config.Image",
		"~Mounts[" + anonymous + "].Mode  -> z", // how the engine notes a volume that was asked for by name
		"~Path ./run.sh -> ./scripts/run.sh",
	}
	got := changedSettings(t, old, made)
	if diff := cmp.Diff(want, brief(got, want)); diff != "" {
		t.Errorf("the settings that changed (-want +got):\n%s", diff)
	}
	if got := made.NetworkSettings.Networks[front].IPAddress; got != prefix+".77" {
		t.Errorf("its address was fixed to %s.77 and is %s", prefix, got)
	}
	for file, text := range map[string]string{"/data/kept": "in the anonymous volume", "/cache/kept": "in the named volume"} {
		if got := w.read(made.ID, file); got != text {
			t.Errorf("%s holds %q", file, got)
		}
	}
	w.alone()
}
