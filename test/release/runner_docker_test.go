//go:build docker

package release

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"aigw-ci/internal/jobimage"
)

// runner does with the job image what GitLab Runner's docker executor does with the
// image of a job, as far as a container notices: one build container, whose command
// looks for a shell, started anew with a script on standard input for each part of
// the job. Source: gitlab-runner, executors/docker/docker_command.go, exec.go.
type runner struct {
	t         *testing.T
	engine    *client.Client
	container string
}

// image is the job image, compiled once for this machine and loaded under a name of
// its own.
func image(t *testing.T) (*client.Client, string) {
	t.Helper()
	archive, err := archive()
	if err != nil {
		t.Fatal(err)
	}
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = client.DefaultDockerHost
	}
	engine, err := client.New(client.WithHost(host))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Ping(t.Context(), client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		t.Fatalf("these tests need a Docker Engine: %v", err)
	}
	loaded, err := engine.ImageLoad(t.Context(), bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, loaded)
	_ = loaded.Close()
	if err != nil {
		t.Fatal(err)
	}
	return engine, reference
}

// reference is the name of the image on the engine. Its suffix is this run's, and
// TestMain takes it away again.
var reference = "aigw-ci-job-image-test:" + strings.ToLower(rand.Text()[:8])

var archive = sync.OnceValues(func() ([]byte, error) {
	sources, err := jobimage.ReadSources(root)
	if err != nil {
		return nil, err
	}
	here := jobimage.Platform{OS: "linux", Architecture: runtime.GOARCH}
	programs := make(map[string][]byte)
	built, err := jobimage.Build(context.Background(), sources.Version,
		func(ctx context.Context, pkg string, _ jobimage.Platform) (program []byte, err error) {
			if programs[pkg] == nil { // the other platform's image is not used here
				programs[pkg], err = sources.Compile(ctx, pkg, here)
			}
			return programs[pkg], err
		})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = built.WriteArchive(&out, reference, here)
	return out.Bytes(), err
})

func TestMain(m *testing.M) {
	status := m.Run()
	if engine, err := client.New(client.FromEnv); err == nil {
		_, _ = engine.ImageRemove(context.Background(), reference, client.ImageRemoveOptions{})
		_ = engine.Close()
	}
	os.Exit(status)
}

// newRunner makes a build container. The job runs as user, or as the image's own.
func newRunner(t *testing.T, user string) *runner {
	t.Helper()
	engine, ref := image(t)
	suffix := "-aigw-ci-test-" + strings.ToLower(rand.Text()[:8])
	volume := "builds" + suffix
	if _, err := engine.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: volume}); err != nil {
		t.Fatal(err)
	}
	end := func(what string, remove func(context.Context) error) {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := remove(ctx); err != nil {
				t.Errorf("removing %s: %v", what, err)
			}
		})
	}
	end(volume, func(ctx context.Context) error {
		_, err := engine.VolumeRemove(ctx, volume, client.VolumeRemoveOptions{})
		return err
	})
	create := func(name, user string, command ...string) *runner {
		made, err := engine.ContainerCreate(t.Context(), client.ContainerCreateOptions{
			Name: name + suffix,
			Config: &container.Config{
				Image: ref, User: user, Cmd: command,
				AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true,
			},
			HostConfig: &container.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: "/builds"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		end(name, func(ctx context.Context) error {
			_, err := engine.ContainerRemove(ctx, made.ID, client.ContainerRemoveOptions{Force: true})
			return err
		})
		return &runner{t, engine, made.ID}
	}
	// The runner's helper clones as root, without a umask.
	helper := create("helper", "0", "sh", "-c", "mkdir -p /builds/group/project && chmod -R 777 /builds")
	if got := helper.run(""); got.status != 0 {
		t.Fatalf("the helper: %+v", got)
	}
	return create("build", user, "sh", "-c", detection())
}

// outcome is how a part of a job ended.
type outcome struct {
	status      int64
	out, errors string
}

// run starts the container with a script on its standard input, and waits.
func (r *runner) run(script string) outcome {
	r.t.Helper()
	return r.start(script)()
}

// start does the same and does not wait: the function that it returns does.
func (r *runner) start(script string) func() outcome {
	r.t.Helper()
	attached, err := r.engine.ContainerAttach(r.t.Context(), r.container,
		client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.engine.ContainerStart(r.t.Context(), r.container, client.ContainerStartOptions{}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(attached.Conn, script); err != nil {
		r.t.Fatal(err)
	}
	if err := attached.CloseWrite(); err != nil {
		r.t.Fatal(err)
	}
	return func() outcome {
		r.t.Helper()
		defer attached.Close()
		var out, errs bytes.Buffer
		if _, err := stdcopy.StdCopy(&out, &errs, attached.Reader); err != nil {
			r.t.Fatal(err)
		}
		wait := r.engine.ContainerWait(r.t.Context(), r.container, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
		select {
		case ended := <-wait.Result:
			return outcome{ended.StatusCode, out.String(), errs.String()}
		case err := <-wait.Error:
			r.t.Fatal(err)
			return outcome{}
		}
	}
}

// exec runs a command beside the script, as "docker exec" does.
func (r *runner) exec(command ...string) {
	r.t.Helper()
	made, err := r.engine.ExecCreate(r.t.Context(), r.container,
		client.ExecCreateOptions{AttachStdout: true, AttachStderr: true, Cmd: command})
	if err != nil {
		r.t.Fatal(err)
	}
	attached, err := r.engine.ExecAttach(r.t.Context(), made.ID, client.ExecAttachOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer attached.Close()
	var said bytes.Buffer
	if _, err := stdcopy.StdCopy(&said, &said, attached.Reader); err != nil {
		r.t.Fatal(err)
	}
	if said.Len() > 0 {
		r.t.Errorf("%q said:\n%s", command, said.String())
	}
}

// detection is the command of every build container: it becomes the first shell
// there is. Source: gitlab-runner, shells/bash.go, BashDetectShellScript.
func detection() string {
	var b strings.Builder
	word := "if"
	for _, shell := range []string{
		"/usr/local/bin/bash", "/usr/bin/bash", "/bin/bash", "/usr/local/bin/sh", "/usr/bin/sh", "/bin/sh", "/busybox/sh",
	} {
		fmt.Fprintf(&b, "%s [ -x %s ]; then\n\texec %s \n", word, shell, shell)
		word = "elif"
	}
	b.WriteString("else\n\techo shell not found\n\texit 1\nfi\n\n")
	return b.String()
}

// step is the script that the runner makes of a job's commands: it exports the
// variables, writes those of type file, changes into the project, and shows each
// command before it runs. Source: the same file, BashWriter.
func step(commands ...string) string {
	lines := []string{
		"export CI_PROJECT_DIR=/builds/group/project",
		"export CI_COMMIT_MESSAGE=" + quote("It's \"quoted\", $(id) `id` \\ and\n\ttwo lines\n"),
		"export EMPTY=''",
		`mkdir -p "/builds/group/project.tmp"`,
		"printf '%s' " + quote("-----BEGIN KEY-----\nc2VjcmV0\n") + ` > "/builds/group/project.tmp/KEY_FILE"`,
		`export KEY_FILE="/builds/group/project.tmp/KEY_FILE"`,
		`mkdir -p "/builds/group/project.tmp"`,
		`touch "/builds/group/project.tmp/gitlab_runner_env"`,
		`while read -r line; do export "$line"; done < "/builds/group/project.tmp/gitlab_runner_env"`,
		"cd /builds/group/project",
	}
	for _, command := range commands {
		lines = append(lines, "echo "+quote("\x1b[32;1m$ "+command+"\x1b[0;m"), command)
	}
	return "#!/usr/bin/env bash\n\ntrap 'exit 1' TERM\n\n" +
		`case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit` + "\n" +
		"set +o noclobber\n" +
		"(trap 'exit 1' TERM; eval " + quote(strings.Join(lines, "\n")+"\n") + ") < /dev/null\n" +
		"exit 0\n"
}

// quote writes text as the runner does, in $'...' with an escape for whatever is not
// plain. Source: gitlab-runner, helpers/shell_escape.go.
func quote(text string) string {
	var b strings.Builder
	b.WriteString("$'")
	for _, c := range []byte(text) {
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString("'")
	return b.String()
}
