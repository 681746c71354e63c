//go:build docker

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"aigw-ci/internal/rake"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

func TestRealExec(t *testing.T) {
	t.Parallel()
	e := connect(t, ConnectOptions{})
	id := startGateway(t, e, nil)

	hostile := `a'b"c $(id) [x]`
	stdout, stderr, exit, err := e.Exec(t.Context(), id, []string{relayProgram, hostile})
	if want := `unknown arguments ["a'b\"c $(id) [x]"]`; len(stdout) != 0 || !strings.Contains(string(stderr), want) || exit != 1 || err != nil {
		t.Errorf("%q, %q, %d, %v; want %s", stdout, stderr, exit, err, want)
	}
	if _, _, exit, err := e.Exec(t.Context(), id, []string{relayProgram, "exit", "3"}); exit != 3 || err != nil {
		t.Errorf("%d, %v; want 3", exit, err)
	}
	stdout, stderr, exit, err = e.Exec(t.Context(), id, []string{"gitlab-rake"})
	if !slices.Contains([]int{126, 127}, exit) || err != nil || !strings.Contains(string(stdout)+string(stderr), `"gitlab-rake": executable file not found`) {
		t.Errorf("a program that is not there: %q, %q, %d, %v", stdout, stderr, exit, err)
	}
	if _, _, _, err := e.Exec(t.Context(), "no-such-container", []string{"true"}); !isNotFound(err) {
		t.Errorf("no such container: %v", err)
	}
	if _, err := e.api.ContainerStop(t.Context(), id, client.ContainerStopOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := e.Exec(t.Context(), id, []string{"true"}); err == nil || !strings.Contains(err.Error(), "not running") {
		t.Errorf("a stopped container: %v", err)
	}
}

// A real OpenSSH server, and the shell of the user who logs in.
func TestRealSSHRun(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	o := ConnectOptions{Host: s.url, KnownHosts: []string{s.knownHosts}, SSHAgent: s.agent}
	hostile := `a'b"c $(id) ` + "`id`" + ` ; | & < > \ * ~ ! [x] {a,b} é`
	stdout, _, exit, err := SSHRun(t.Context(), o, []string{"printf", "%s,", hostile, "", "-n"})
	if want := hostile + ",,-n,"; string(stdout) != want || exit != 0 || err != nil {
		t.Errorf("%q, %d, %v; want %q", stdout, exit, err, want)
	}
	if _, _, exit, err := SSHRun(t.Context(), o, []string{"sh", "-c", "exit 7"}); exit != 7 || err != nil {
		t.Errorf("%d, %v; want 7", exit, err)
	}
	if _, stderr, exit, err := SSHRun(t.Context(), o, []string{"gitlab-rake", "x[y]"}); exit != 127 || err != nil || !strings.Contains(string(stderr), "gitlab-rake: ") {
		t.Errorf("a program that is not there: %q, %d, %v", stderr, exit, err)
	}
	if _, _, _, err := SSHRun(t.Context(), o, []string{"cat", "/dev/zero"}); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("too much output: %v", err)
	}
	if _, _, _, err := SSHRun(t.Context(), o, []string{"sh", "-c", "kill -9 $$"}); err == nil {
		t.Error("a killed program has an exit status")
	}
}

// The check gitlab.rake on its two roads that lead through this package, to a
// program called gitlab-rake.
func TestRealRake(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	e := connect(t, ConnectOptions{})
	id := startGateway(t, e, func(o *client.ContainerCreateOptions) { o.Config.Env = append(o.Config.Env, "PATH=/") })
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	_ = w.WriteHeader(&tar.Header{Name: "gitlab-rake", Mode: 0o755, Size: int64(len(program))})
	_, _ = w.Write(program)
	_ = w.Close()
	if _, err := e.api.CopyToContainer(t.Context(), id, client.CopyToContainerOptions{DestinationPath: "/", Content: &archive}); err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gitlab-rake"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	s := startSSHD(t, "SetEnv PATH="+dir+":/usr/bin:/bin")
	address, _, _ := strings.Cut(strings.TrimPrefix(s.url, "ssh://"), "/")

	for setting, run := range map[string]func(context.Context, rake.Way, []string) ([]byte, []byte, int, error){
		"docker:" + id: func(ctx context.Context, way rake.Way, command []string) ([]byte, []byte, int, error) {
			return e.Exec(ctx, way.Name, command)
		},
		"ssh:" + address: func(ctx context.Context, way rake.Way, command []string) ([]byte, []byte, int, error) {
			return SSHRun(ctx, ConnectOptions{Host: way.URL(), KnownHosts: []string{s.knownHosts}, SSHKeys: []string{s.key}}, command)
		},
	} {
		way, err := rake.Parse(setting)
		if err != nil {
			t.Fatal(err)
		}
		runner := rake.RunnerFunc(func(ctx context.Context, command []string) ([]byte, []byte, int, error) {
			return run(ctx, way, command)
		})
		for user, want := range map[string]upgrade.Verdict{"alice": upgrade.Pass, "bob": upgrade.Inconclusive} {
			c := rake.Check(rake.Options{Mode: rake.Required, Way: way, Runner: runner, User: user})(t.Context(), upgrade.Subject{
				Stage: upgrade.Live, Release: upgrade.Release{Version: version.GitLab{Major: 18}},
			})
			if c.Verdict != want || !strings.HasPrefix(c.Detail, setting+": ") {
				t.Errorf("%s: %+v; want %s", setting, c, want)
			}
		}
	}
}
