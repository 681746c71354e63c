package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/engine"
)

// night is a story being told in a world of its own.
type night struct {
	*world
	story
	reports string
	before  found    // the container that ran at first
	volumes []string // of the engine at first
}

// begin makes the world as it was before the run.
func (s story) begin(t *testing.T, estate *lab.Estate) *night {
	n := &night{world: newWorld(t, estate), story: s, reports: filepath.Join(t.TempDir(), "reports")}
	if s.old == "" {
		return n
	}
	where := []string{"-p", n.address + ":5052:5052"}
	if s.proxied {
		where = []string{"--network", "duo", "--network-alias", "aigw"}
		if err := n.admin.do([]string{"network", "create", "duo"}); err != nil {
			t.Fatal(err)
		}
	}
	err := n.admin.run(slices.Concat([]string{
		"-d", "--name", "gitlab-aigw", "--restart", "always",
		"-e", "AIGW_GITLAB_URL=" + estate.GitLabURL, "-e", "OWN=kept", "-v", "/srv",
	}, where, []string{estate.Repository() + ":" + s.old}))
	if err != nil {
		t.Fatal(err)
	}
	if n.before, err = n.admin.inspect("gitlab-aigw"); err != nil {
		t.Fatal(err)
	}
	if !n.before.boots() {
		t.Fatal("the gateway does not answer")
	}
	if s.broken {
		n.bringUsers(t)
	}
	if n.volumes, err = n.admin.volumes(); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *night) bringUsers(t *testing.T) {
	users := &lab.Users{URL: "http://" + n.address + ":5052", Every: 20 * time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	var gone sync.WaitGroup
	gone.Go(func() { users.Run(ctx) })
	t.Cleanup(func() { stop(); gone.Wait() })
}

func (n *night) environ() []string {
	env := append(n.world.environ(), "AIGW_CI_REPORT_DIR="+n.reports, "AIGW_CI_VERIFY_SUCCESSES=1")
	if !n.broken { // nothing will show in the time
		env = append(env, "AIGW_CI_VERIFY_HOLD=50ms")
	}
	return env
}

// run runs the program in this process.
func (n *night) run(t *testing.T) (code int, said string) {
	var out bytes.Buffer
	code = run(t.Context(), []string{"upgrade"}, system{
		environ: n.environ(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hostname: "host.example.com", pace: hurried,
	})
	if err := keptContract(n.reports, code); err != nil {
		t.Error(err)
	}
	return code, out.String()
}

// runKilled runs the program as a process, and kills it when it asks the engine
// for p. The engine does what it was asked for.
func (n *night) runKilled(t *testing.T, p point) {
	var out bytes.Buffer
	c := exec.Command(filepath.Join(installed(t), "aigw-ci"), "upgrade")
	c.Env, c.Stdout, c.Stderr = n.environ(), &out, &out
	started := make(chan struct{})
	n.at(p, func() {
		<-started
		_ = c.Process.Kill()
	})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	err := c.Wait()
	n.listen(nil)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("it was not killed: %v\n%s", err, &out)
	}
}

// runRestarted runs the program, and restarts the engine when it is asked for p.
func (n *night) runRestarted(t *testing.T, p point) (code int, said string) {
	var restart sync.WaitGroup
	n.at(p, func() {
		restart.Go(func() {
			if err := n.engine.Restart(); err != nil {
				t.Error(err)
			}
		})
	})
	code, said = n.run(t)
	restart.Wait()
	n.listen(nil)
	// The engine has started the gateway anew, too, and it may still be booting.
	if now, err := n.admin.inspect("gitlab-aigw"); err == nil {
		now.boots()
		n.before.State = now.State
	}
	return code, said
}

// outlive waits for the killed program's last sign of life, which may still be on
// its way to the engine: to another run it would be that of a living one.
func (n *night) outlive(t *testing.T) {
	beats := func() (sum int) {
		for _, c := range n.engine.Journal() {
			if c.Method == http.MethodPut && c.Status != 0 {
				sum++
			}
		}
		return sum
	}
	for before := -1; before != beats(); time.Sleep(hurried.lockTTL / 10) {
		before = beats()
	}
}

// at does something when the engine is asked for p.
func (n *night) at(p point, do func()) {
	var times atomic.Int32
	n.listen(func(c engine.Call) {
		if deedOf(c) == p.deed && times.Add(1) == int32(p.nth) {
			do()
		}
	})
}

// quiet runs the program undisturbed, and wants the story's end.
func (n *night) quiet(t *testing.T) {
	t.Helper()
	code, said := n.run(t)
	err := errors.Join(n.truthful(code), n.alone(t.Context(), n.end), n.kept(), n.tidy())
	if code != n.code {
		err = errors.Join(err, fmt.Errorf("exit code %d, want %d", code, n.code))
	}
	if err != nil {
		t.Errorf("undisturbed: %v\n%s", err, said)
	}
}

// truthful compares what a run says with what is. Exit codes: README.md.
func (n *night) truthful(code int) error {
	now, err := n.admin.inspect("gitlab-aigw")
	tag := ""
	if err == nil && now.answers(context.Background()) {
		name, _, _ := strings.Cut(now.Config.Image, "@")
		tag = name[strings.LastIndexByte(name, ':')+1:]
	}
	right := map[int]bool{
		0: tag == n.new,
		1: tag == n.old && now.ID == n.before.ID && now.State.StartedAt == n.before.State.StartedAt,
		4: tag == n.old && n.old != "",
		6: tag != "" || n.old == "",
	}
	if !right[code] {
		return fmt.Errorf("exit code %d, and %q serves", code, tag)
	}
	data, err := os.ReadFile(filepath.Join(n.reports, "report.json"))
	if err != nil {
		return err
	}
	var report struct{ After *struct{ ID string } }
	if err := json.Unmarshal(data, &report); err != nil {
		return err
	}
	if report.After != nil && report.After.ID != now.ID {
		return fmt.Errorf("the report says that container %s serves, and it is %q", report.After.ID, now.ID)
	}
	return nil
}

// kept wants the settings that the gateway had before.
func (n *night) kept() error {
	if n.old == "" {
		return nil
	}
	now, err := n.admin.inspect("gitlab-aigw")
	kept := []string{"OWN=kept", "restart always", "mount /srv", "port 5052/tcp"}
	if n.proxied {
		kept[3] = "alias aigw"
	}
	for _, trait := range kept {
		if !slices.Contains(now.traits(), trait) {
			err = errors.Join(err, fmt.Errorf("%q is lost", trait))
		}
	}
	return err
}

// tidy wants nothing of the program's on the engine, beside the gateway.
func (n *night) tidy() error {
	volumes, err := n.admin.volumes()
	if err != nil {
		return err
	}
	if !slices.Equal(volumes, n.volumes) {
		err = fmt.Errorf("volumes: %q, and before %q", volumes, n.volumes)
	}
	images, unread := n.admin.images()
	for _, i := range images {
		if strings.HasPrefix(i, "aigw-ci/") {
			err = errors.Join(err, fmt.Errorf("image %s is left", i))
		}
	}
	return errors.Join(err, unread)
}
