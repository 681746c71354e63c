//go:build docker

package release

import (
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"aigw-ci/internal/jobimage"
)

func TestJobRunsInTheImage(t *testing.T) {
	t.Parallel()
	r := newRunner(t, "")
	got := r.run(step(
		`aigw-ci version`,
		`id -u`,
		`cat "$KEY_FILE"`,
		`printf '%s' "$CI_COMMIT_MESSAGE"`,
		`echo "home $HOME" > "$HOME/file" && cat "$HOME/file"`,
		`echo kept > kept && mkdir -p aigw-ci && ls`,
	))
	if got.status != 0 {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{
		"aigw-ci " + strings.TrimSpace(read(t, "VERSION")) + " linux/",
		"\n65532\n",
		"-----BEGIN KEY-----\nc2VjcmV0\n",
		"It's \"quoted\", $(id) `id` \\ and\n\ttwo lines\n",
		"\nhome /home/aigw-ci\n",
		"\naigw-ci\nkept\n",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the log lacks %q:\n%s", want, got.out)
		}
	}
	if got.errors != "" {
		t.Errorf("it complained:\n%s", got.errors)
	}

	// after_script: the same container once more.
	got = r.run(step(`cat kept`))
	if got.status != 0 || !strings.HasSuffix(got.out, "\nkept\n") {
		t.Errorf("after_script: %+v", got)
	}
}

// Exit codes are what allow_failure:exit_codes looks at.
func TestExitCodesReachTheRunner(t *testing.T) {
	t.Parallel()
	r := newRunner(t, "")
	for command, want := range map[string]int64{
		`exit 42`:                     42,
		`aigw-ci plan --no-such-flag`: 2,
		`no-such-program`:             127,
		`false | true`:                1,
	} {
		if got := r.run(step(command, "echo not reached")); got.status != want || strings.HasSuffix(got.out, "\nnot reached\n") {
			t.Errorf("%s: %+v, want %d", command, got, want)
		}
	}
}

// Root is there for those who mount the engine's socket.
func TestJobAsRoot(t *testing.T) {
	t.Parallel()
	got := newRunner(t, "root").run(step(`id -u`, `echo "$HOME"`, `echo x > /root/x`))
	if got.status != 0 || !strings.Contains(got.out, "\n0\n") || !strings.Contains(got.out, "\n/root\n") {
		t.Errorf("%+v", got)
	}
}

// The runner ends a cancelled job in two steps: it sends SIGTERM to every process
// but the first, from inside the container, and then stops the container. What the
// job does about the first must not be cut short by the second: for aigw-ci it is
// the way back to the old gateway.
// Source: gitlab-runner, shells/bash.go, ContainerSigTermScriptForLinux.
func TestCancelledJobCleansUp(t *testing.T) {
	t.Parallel()
	// In words of our own, with everything that the runner's needs of a shell.
	const terminate = `ALL=$(cd /proc && ls -rvd [0-9]*) &&
for ONE in $ALL; do
	if [ $ONE -ne 1 ] && [ $ONE -ne $$ ]; then
		kill -TERM $ONE 2>/dev/null &&
		LEFT=5 &&
		while [ $LEFT -gt 0 ] && [ -e /proc/$ONE ]; do
			LEFT=$((LEFT-1)) && sleep 1;
		done;
	fi;
done
`
	r := newRunner(t, "")
	const work = `trap "echo asked; sleep 2; echo cleaned; exit 8" TERM; echo ready > ready; while :; do sleep 0.1; done`
	wait := r.start(step(`sh -c '`+work+`'`, `echo not reached`))
	for deadline := time.Now().Add(30 * time.Second); ; {
		_, err := r.engine.ContainerStatPath(t.Context(), r.container, client.ContainerStatPathOptions{Path: "/builds/group/project/ready"})
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the job did not begin")
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.exec("sh", "-c", terminate)
	if _, err := r.engine.ContainerStop(t.Context(), r.container, client.ContainerStopOptions{}); err != nil {
		t.Fatal(err)
	}
	got := wait()
	if !strings.HasSuffix(got.out, "\nasked\ncleaned\n") || got.status != 8 && got.status != 1 {
		t.Errorf("the job was cut short: %+v", got)
	}
}

// The engine sees what the labels and the configuration promise.
func TestImageOnTheEngine(t *testing.T) {
	t.Parallel()
	engine, ref := image(t)
	in, err := engine.ImageInspect(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if in.Config.User != "65532:65532" || len(in.Config.Entrypoint) != 0 {
		t.Errorf("user %q, entrypoint %q", in.Config.User, in.Config.Entrypoint)
	}
	if got := in.Config.Labels["org.opencontainers.image.source"]; got != jobimage.Source {
		t.Errorf("source: %q", got)
	}
}
