package engine_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"aigw-ci/internal/lab/engine"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

func policy(name container.RestartPolicyMode, retries int) container.HostConfig {
	return container.HostConfig{RestartPolicy: container.RestartPolicy{Name: name, MaximumRetryCount: retries}}
}

func down(c container.InspectResponse) bool { return c.State.Status == container.StateExited }

func (l *lab) kill(name, signal string) {
	l.t.Helper()
	if _, err := l.ContainerKill(l.ctx(), name, client.ContainerKillOptions{Signal: signal}); err != nil {
		l.t.Fatal(err)
	}
}

func TestRestartPolicies(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	for _, tt := range []struct {
		name     string
		policy   container.HostConfig
		exit     string
		restarts int // what it has to come to
		ends     bool
	}{
		{"never", noHost, "3", 0, true},
		{"never-by-name", policy("no", 0), "3", 0, true},
		{"failed-twice", policy("on-failure", 2), "3", 2, true},
		{"did-not-fail", policy("on-failure", 2), "0", 0, true},
		{"always", policy("always", 0), "0", 3, false},
		{"unless-stopped", policy("unless-stopped", 0), "3", 3, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &lab{Client: l.Client, t: t, engine: l.engine}
			l.create(tt.name, tt.policy, "exit", tt.exit)
			l.start(tt.name)
			l.await(tt.name, "where it has to come to", func(c container.InspectResponse) bool {
				return c.RestartCount >= tt.restarts && down(c) == tt.ends
			})
			if tt.ends {
				time.Sleep(150 * time.Millisecond) // more than the wait before a first restart
				if c := l.inspect(tt.name); !down(c) || c.RestartCount != tt.restarts {
					t.Errorf("restarted %d times, want %d: %+v", c.RestartCount, tt.restarts, c.State)
				}
				return
			}
			l.stop(tt.name) // also while it waits for a restart
			if c := l.inspect(tt.name); !down(c) {
				t.Errorf("stopped, it is %s", c.State.Status)
			}
		})
	}
}

func TestWhileItWaitsForARestartItCountsAsRunning(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", policy("always", 0), "exit", "3")
	l.start("one")
	l.await("one", "restarting", func(c container.InspectResponse) bool { return c.State.Restarting })
	l.await("one", "restarting", func(c container.InspectResponse) bool {
		return c.State.Restarting && c.State.Running && c.State.Status == "restarting" && c.State.ExitCode == 3
	})
}

func TestSignalsAndRestarts(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	_, err := l.ContainerKill(l.ctx(), "nosuch", client.ContainerKillOptions{})
	wantError(t, err, "Cannot kill container: nosuch: No such container: nosuch")
	id := l.create("one", policy("always", 0))
	_, err = l.ContainerKill(l.ctx(), "one", client.ContainerKillOptions{})
	wantError(t, err, "Cannot kill container: one: Container "+id+" is not running")
	l.start("one")
	_, err = l.ContainerKill(l.ctx(), "one", client.ContainerKillOptions{Signal: "SIGBOGUS"})
	wantError(t, err, "Invalid signal: SIGBOGUS")

	l.kill("one", "SIGKILL")
	if c := l.inspect("one"); !down(c) || c.State.ExitCode != 137 || c.RestartCount != 0 {
		t.Errorf("killed: %+v", c.State)
	}
	// Docker 20.10 takes any signal for the wish not to restart, unless the
	// container names another stop signal.
	l.start("one")
	l.get(l.url("one") + "/env")
	l.kill("one", "HUP")
	if _, err := fetch(l.ctx(), l.url("one")+"/exit?code=4"); err == nil {
		t.Error("a program that exits has answered")
	}
	l.await("one", "down", down)

	_, err = l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{Name: "two", Config: &container.Config{
		Image: "lab/server:1", StopSignal: "SIGQUIT",
	}, HostConfig: &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "always"}}})
	if err != nil {
		t.Fatal(err)
	}
	l.start("two")
	l.get(l.url("two") + "/env")
	l.kill("two", "1")
	if _, err := fetch(l.ctx(), l.url("two")+"/exit?code=4"); err == nil {
		t.Error("a program that exits has answered")
	}
	l.await("two", "restarted", func(c container.InspectResponse) bool {
		return c.RestartCount == 1 && c.State.Status == "running"
	})
}

func TestStopTakesTheTimeItIsGiven(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", noHost, "stubborn")
	l.start("one")
	l.get(l.url("one") + "/env")
	second := 1
	began := time.Now()
	if _, err := l.ContainerStop(l.ctx(), "one", client.ContainerStopOptions{Timeout: &second}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second || l.inspect("one").State.ExitCode != 137 {
		t.Errorf("after %v: %+v", took, l.inspect("one").State)
	}
}

func TestRestartByHandBeginsAnew(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", noHost)
	l.start("one")
	first := l.inspect("one").State.Pid
	if _, err := l.ContainerRestart(l.ctx(), "one", client.ContainerRestartOptions{}); err != nil {
		t.Fatal(err)
	}
	if c := l.inspect("one"); !c.State.Running || c.State.Pid == first || c.RestartCount != 0 {
		t.Errorf("restarted: %+v, count %d", c.State, c.RestartCount)
	}
}

func TestUpdateChangesThePolicyOfARunningContainer(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", policy("always", 0))
	l.start("one")
	l.get(l.url("one") + "/env")
	_, err := l.ContainerUpdate(l.ctx(), "one", client.ContainerUpdateOptions{
		RestartPolicy: &container.RestartPolicy{Name: "no"}, Resources: &container.Resources{Memory: 1 << 30},
	})
	if err != nil {
		t.Fatal(err)
	}
	if h := l.inspect("one").HostConfig; h.RestartPolicy.Name != "no" || h.Memory != 1<<30 {
		t.Errorf("updated: %+v", h.RestartPolicy)
	}
	if _, err := fetch(l.ctx(), l.url("one")+"/exit?code=4"); err == nil {
		t.Error("a program that exits has answered")
	}
	l.await("one", "down", down)
	_, err = l.ContainerUpdate(l.ctx(), "one", client.ContainerUpdateOptions{RestartPolicy: &container.RestartPolicy{Name: "bogus"}})
	wantError(t, err, "invalid restart policy 'bogus'")
}

func TestEngineRestart(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	policies := map[string]container.HostConfig{
		"no": noHost, "always": policy("always", 0), "unless": policy("unless-stopped", 0), "failure": policy("on-failure", 0),
	}
	for name, host := range policies {
		l.create(name+"-running", host)
		l.start(name + "-running")
		l.get(l.url(name+"-running") + "/env") // from now on it ends with 0 when asked to
		l.create(name+"-stopped", host)
		l.start(name + "-stopped")
		l.get(l.url(name+"-stopped") + "/env")
		l.stop(name + "-stopped")
		l.create(name+"-created", host)
	}
	// A call that waits is cut off.
	w := l.ContainerWait(l.ctx(), "no-running", client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	host := l.engine.Host()
	if err := l.engine.Restart(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-w.Error:
		if err == nil {
			t.Error("the waiting call ended without an error")
		}
	case got := <-w.Result:
		t.Errorf("the waiting call got an answer: %+v", got)
	}
	if l.engine.Host() != host {
		t.Errorf("it moved from %s to %s", host, l.engine.Host())
	}
	out, err := l.ContainerList(l.ctx(), client.ContainerListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	running := map[string]bool{}
	for _, c := range out.Items {
		running[c.Names[0]] = true
	}
	// The program ends with 0 when it is asked to, so "on-failure" stays down.
	want := []string{"/always-running", "/always-stopped", "/unless-running"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(running))); diff != "" {
		t.Errorf("running after the restart (-want +got):\n%s", diff)
	}
	if c := l.inspect("no-running"); !down(c) {
		t.Errorf("without a policy: %+v", c.State)
	}
}

func TestChildrenEndWithTheirContainer(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", noHost, "parent")
	l.start("one")
	l.get(l.url("one") + "/env")
	group := l.inspect("one").State.Pid
	if n := processesOf(t, group); n != 2 {
		t.Fatalf("%d processes, want the program and its child", n)
	}
	l.stop("one")
	// They were killed; the kernel takes its moment.
	for deadline := time.Now().Add(10 * time.Second); processesOf(t, group) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d processes outlived their container", processesOf(t, group))
		}
	}
}
