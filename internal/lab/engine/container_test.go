package engine_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aigw-ci/internal/lab/engine"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

var noHost = container.HostConfig{}

func procDir(pid int) string { return filepath.Join("/proc", fmt.Sprint(pid)) }

func TestLifeOfAContainer(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	made, err := l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{Name: "gw", Config: &container.Config{
		Image: "lab/server:1", Env: []string{"FROM=user", "OWN=1"}, Labels: map[string]string{"mine": "yes"},
		Healthcheck: &container.HealthConfig{Test: []string{"CMD", "true"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	before := l.inspect("gw")
	if before.ID != made.ID || before.Name != "/gw" || before.State.Status != "created" || before.State.Health != nil {
		t.Errorf("created: %+v %+v", before, before.State)
	}
	if before.State.StartedAt != "0001-01-01T00:00:00Z" || before.NetworkSettings.Networks["bridge"].IPAddress.IsValid() {
		t.Errorf("created, it has been started or has an address: %+v", before.State)
	}
	if diff := cmp.Diff([]string{"FROM=user", "OWN=1", "KEEP=image"}, before.Config.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"made": "here", "mine": "yes"}, before.Config.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if len(before.Mounts) != 1 || before.Mounts[0].Destination != "/data" || before.Mounts[0].Type != "volume" {
		t.Errorf("mounts: %+v", before.Mounts)
	}
	img, err := l.ImageInspect(l.ctx(), "lab/server:1")
	if err != nil || before.Image != img.ID || before.Config.Image != "lab/server:1" {
		t.Errorf("image %q of config %q, want %q (error %v)", before.Image, before.Config.Image, img.ID, err)
	}

	l.start("gw")
	l.start(made.ID[:12]) // 304 is no error
	on := l.inspect("/gw")
	addr := on.NetworkSettings.Networks["bridge"].IPAddress
	if !on.State.Running || on.State.Pid == 0 || !netip.MustParsePrefix("127.77.0.0/16").Contains(addr) || on.State.Health.Status != container.Starting {
		t.Errorf("running: %+v at %v", on.State, addr)
	}
	env := strings.Split(l.get(l.url("gw")+"/env"), "\n")
	for _, want := range []string{"FROM=user", "KEEP=image", "HOSTNAME=" + made.ID[:12], "LAB_HOST=" + addr.String()} {
		if !slices.Contains(env, want) {
			t.Errorf("the program does not see %q", want)
		}
	}
	if slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "HOME=") }) {
		t.Error("the program sees the engine's own environment")
	}

	l.stop("gw")
	l.stop("gw")
	off := l.inspect("gw")
	if off.State.Status != "exited" || off.State.ExitCode != 0 || off.State.Pid != 0 || off.NetworkSettings.Networks["bridge"].IPAddress.IsValid() {
		t.Errorf("stopped: %+v", off.State)
	}
	if _, err := os.Stat(procDir(on.State.Pid)); !gone(err) {
		t.Errorf("process %d outlived its container", on.State.Pid)
	}
	if _, err := l.ContainerRemove(l.ctx(), "gw", client.ContainerRemoveOptions{RemoveVolumes: true}); err != nil {
		t.Fatal(err)
	}
	_, err = l.ContainerInspect(l.ctx(), "gw", client.ContainerInspectOptions{})
	wantError(t, err, "No such container: gw")
	if v, err := l.VolumeList(l.ctx(), client.VolumeListOptions{}); err != nil || len(v.Items) != 0 {
		t.Errorf("volumes left: %+v, error %v", v.Items, err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	id := l.create("one", noHost)
	l.create("two", noHost)
	conflict := `Conflict. The container name "/one" is already in use by container "` + id + `". You have to remove (or rename) that container to be able to reuse that name.`
	_, err := l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{Name: "one", Config: &container.Config{Image: "lab/server:1"}})
	wantError(t, err, conflict)
	_, err = l.ContainerRename(l.ctx(), "two", client.ContainerRenameOptions{NewName: "one"})
	wantError(t, err, "Error when allocating new name: "+conflict)
	_, err = l.ContainerRename(l.ctx(), "two", client.ContainerRenameOptions{NewName: "two"})
	wantError(t, err, "Renaming a container with the same name as its current name")
	if _, err = l.ContainerRename(l.ctx(), "two", client.ContainerRenameOptions{NewName: "three"}); err != nil {
		t.Fatal(err)
	}
	if got := l.inspect("three").Name; got != "/three" {
		t.Errorf("renamed to %q", got)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	for _, tt := range []struct {
		name   string
		config container.Config
		host   container.HostConfig
		want   string
	}{
		{"no such image", container.Config{Image: "nope:x"}, noHost, "No such image: nope:x"},
		{"unknown policy", container.Config{Image: "lab/server:1"}, container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "bogus"}}, "invalid restart policy 'bogus'"},
		{"remove and restart", container.Config{Image: "lab/server:1"}, container.HostConfig{AutoRemove: true, RestartPolicy: container.RestartPolicy{Name: "always"}}, "can't create 'AutoRemove' container with restart policy"},
		{"bind of nothing", container.Config{Image: "lab/server:1"}, container.HostConfig{Binds: []string{"a:b:c:d"}}, "invalid volume specification: 'a:b:c:d'"},
		{"bind on the root", container.Config{Image: "lab/server:1"}, container.HostConfig{Binds: []string{"/tmp:/"}}, "invalid mount path"},
	} {
		_, err := l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{Config: &tt.config, HostConfig: &tt.host})
		t.Run(tt.name, func(t *testing.T) { wantError(t, err, tt.want) })
	}
	if out, err := l.ContainerList(l.ctx(), client.ContainerListOptions{All: true}); err != nil || len(out.Items) != 0 {
		t.Errorf("a refused create left %+v, error %v", out.Items, err)
	}
}

func TestProgramsComeFromTheImage(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	for i, tt := range []struct{ entrypoint, want string }{
		{"/bin/link", ""}, // an absolute link, which leads to the image's file
		{"program", ""},   // found in PATH
		{"/bin/sh", `exec: "/bin/sh": stat /bin/sh: no such file or directory`},
		{"/../../../../bin/sh", "no such file or directory"},
		{"sh", `exec: "sh": executable file not found in $PATH`},
		{"/bin", "permission denied"},
	} {
		name := fmt.Sprint("program-", i)
		if _, err := l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{Name: name, Config: &container.Config{
			Image: "lab/server:1", Entrypoint: []string{tt.entrypoint}, Cmd: []string{"exit", "0"},
		}}); err != nil {
			t.Fatal(err)
		}
		_, err := l.ContainerStart(l.ctx(), name, client.ContainerStartOptions{})
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.entrypoint, err)
			}
			continue
		}
		wantError(t, err, "OCI runtime create failed", tt.want)
		if s := l.inspect(name).State; s.Status != "created" || s.ExitCode < 126 || s.Error == "" {
			t.Errorf("%s: state %+v", tt.entrypoint, s)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", noHost)
	read := func(o client.ContainerLogsOptions) (out, err string) {
		t.Helper()
		r, e := l.ContainerLogs(l.ctx(), "one", o)
		if e != nil {
			t.Fatal(e)
		}
		defer r.Close()
		var outBuf, errBuf bytes.Buffer
		if _, e := stdcopy.StdCopy(&outBuf, &errBuf, r); e != nil {
			t.Fatal(e)
		}
		return outBuf.String(), errBuf.String()
	}
	both := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true}
	if out, err := read(both); out+err != "" {
		t.Errorf("before the start: %q %q", out, err)
	}
	l.start("one")
	l.get(l.url("one") + "/env")
	l.stop("one")
	const all = "out: started\nout: ready\nout: got terminated\n"
	if out, err := read(both); out != all || err != "err: started\n" {
		t.Errorf("all: %q %q", out, err)
	}
	if out, err := read(client.ContainerLogsOptions{ShowStdout: true, Tail: "1"}); out != "out: got terminated\n" || err != "" {
		t.Errorf("tail: %q %q", out, err)
	}
	if out, _ := read(client.ContainerLogsOptions{ShowStdout: true, Timestamps: true, Tail: "1"}); len(out) < 50 || out[10] != 'T' {
		t.Errorf("timestamps: %q", out)
	}
	if out, _ := read(client.ContainerLogsOptions{ShowStdout: true, Follow: true}); out != all {
		t.Errorf("following a container that ended: %q", out)
	}
	l.start("one")
	done := make(chan string, 1)
	go func() {
		out, _ := read(client.ContainerLogsOptions{ShowStdout: true, Follow: true})
		done <- out
	}()
	l.get(l.url("one") + "/env")
	l.stop("one")
	if out := <-done; out != all+all {
		t.Errorf("following: %q", out)
	}
	_, err := l.ContainerLogs(l.ctx(), "one", client.ContainerLogsOptions{})
	wantError(t, err, "you must choose at least one stream")
}

func TestWait(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", noHost)
	l.start("one")
	l.get(l.url("one") + "/env") // from then on it ends well when it is told to
	for condition, act := range map[container.WaitCondition]func(){
		container.WaitConditionNotRunning: func() { l.stop("one") },
		container.WaitConditionRemoved: func() {
			if _, err := l.ContainerRemove(l.ctx(), "two", client.ContainerRemoveOptions{Force: true}); err != nil {
				t.Error(err)
			}
		},
	} {
		name := "one"
		if condition == container.WaitConditionRemoved {
			name = "two"
			l.create("two", noHost, "stubborn")
			l.start("two")
		}
		w := l.ContainerWait(l.ctx(), name, client.ContainerWaitOptions{Condition: condition})
		act()
		select {
		case got := <-w.Result:
			if want := map[string]int64{"one": 0, "two": 137}[name]; got.StatusCode != want {
				t.Errorf("%s: exit code %d, want %d", condition, got.StatusCode, want)
			}
		case err := <-w.Error:
			t.Errorf("%s: %v", condition, err)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("aigw", noHost)
	l.create("aigw-next", noHost)
	l.start("aigw")
	for _, tt := range []struct {
		all     bool
		filters client.Filters
		want    string
	}{
		{false, nil, "/aigw"},
		{true, nil, "/aigw-next /aigw"},
		{true, client.Filters{}.Add("name", "^/?aigw$"), "/aigw"},
		{true, client.Filters{}.Add("name", "next"), "/aigw-next"},
		{true, client.Filters{}.Add("label", "made=here"), "/aigw-next /aigw"},
		{true, client.Filters{}.Add("label", "made=there"), ""},
		{false, client.Filters{}.Add("status", "created"), "/aigw-next"},
		{true, client.Filters{}.Add("network", "bridge"), "/aigw-next /aigw"},
	} {
		out, err := l.ContainerList(l.ctx(), client.ContainerListOptions{All: tt.all, Filters: tt.filters})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range out.Items {
			names = append(names, c.Names...)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("all %v, filters %v: %q, want %q", tt.all, tt.filters, got, tt.want)
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	id := l.create("one", noHost, "stubborn")
	l.start("one")
	_, err := l.ContainerRemove(l.ctx(), "one", client.ContainerRemoveOptions{})
	wantError(t, err, "You cannot remove a running container "+id+". Stop the container before attempting removal or force remove")
	if _, err := l.ContainerRemove(l.ctx(), "one", client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	l.create("two", container.HostConfig{AutoRemove: true}, "exit", "0")
	w := l.ContainerWait(l.ctx(), "two", client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	l.start("two")
	select {
	case <-w.Result:
	case err := <-w.Error:
		t.Fatal(err)
	}
	_, err = l.ContainerInspect(l.ctx(), "two", client.ContainerInspectOptions{})
	wantError(t, err, "No such container: two")
}
