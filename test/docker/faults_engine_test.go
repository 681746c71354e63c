//go:build docker

package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/test/program"
)

// ownEngine is a Docker Engine of one test's own, beside the one that all tests share:
// it can be restarted, frozen or starved, and no other test notices. Like an engine
// with its defaults, it takes its containers along when it stops.
type ownEngine struct {
	*engine
	t       testing.TB
	dir     string
	args    []string // how it is started, the program first
	process *exec.Cmd
	ended   chan struct{}
}

// newOwnEngine starts an engine that keeps everything in dir, until the test ends. An
// empty dir is one of its own.
func newOwnEngine(t testing.TB, dir string) *ownEngine {
	t.Helper()
	program, err := exec.LookPath("dockerd")
	if err != nil {
		t.Fatalf("this test starts a Docker Engine of its own: %v\non Debian: scripts/install-debian docker.io", err)
	}
	if os.Getuid() != 0 {
		t.Fatal("this test starts a Docker Engine of its own: run it as root")
	}
	if dir == "" {
		dir = engineDir(t)
	}
	o := &ownEngine{t: t, dir: dir}
	config := filepath.Join(dir, "daemon.json") // the machine's own is about its own engine
	writeFile(t, config, "{}\n")
	name := filepath.Base(dir)
	o.args = []string{
		program, "--config-file", config, "--host", "unix://" + filepath.Join(dir, "docker.sock"),
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
		// Where the machine has a containerd, both engines use it.
		"--containerd-namespace", name, "--containerd-plugins-namespace", name + "-plugins",
		// The rules of the kernel's firewall belong to the other engine. Ports are
		// published by proxies, which is all that loopback needs.
		"--iptables=false", "--ip6tables=false", "--bridge", ownBridge(t, "aigw-"+strings.ToLower(rand.Text()[:8])),
	}
	if o.engine, err = newEngine("unix://" + filepath.Join(dir, "docker.sock")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.end)
	o.check(o.begin())
	return o
}

func (o *ownEngine) check(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// ownBridge is a bridge for another engine, which wants one that exists: the shared
// engine makes it, as a network, and then leaves it alone.
func ownBridge(t testing.TB, name string) string {
	t.Helper()
	var err error
	for range 20 {
		var random [2]byte
		_, _ = rand.Read(random[:])
		var made dockerd.Listed
		err = shared.engine.Call(t.Context(), http.MethodPost, "/networks/create", object{
			"Name": name, "Driver": "bridge", "Options": object{"com.docker.network.bridge.name": name},
			"IPAM": object{"Config": []object{{"Subnet": fmt.Sprintf("10.%d.%d.0/24", random[0], random[1])}}},
		}, &made)
		if err == nil {
			t.Cleanup(func() {
				if err := shared.engine.Call(context.Background(), http.MethodDelete, "/networks/"+name, nil, nil); err != nil {
					t.Errorf("cleaning up: %v", err)
				}
			})
			return name
		}
	}
	t.Fatalf("making the bridge %s: %v", name, err)
	return ""
}

// world is newWorld on this engine, which is well again before the world ends.
func (o *ownEngine) world() *world {
	o.t.Helper()
	w := newWorld(o.t)
	w.engine = o.engine
	w.settings["DOCKER_HOST"] = "unix://" + o.Socket
	o.t.Cleanup(o.heal)
	return w
}

// begin starts the engine, and waits until it answers.
func (o *ownEngine) begin() error {
	log, err := os.OpenFile(filepath.Join(o.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	process, ended := exec.Command(o.args[0], o.args[1:]...), make(chan struct{})
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return err
	}
	o.process, o.ended = process, ended
	go func() {
		defer close(ended)
		_ = process.Wait()
	}()
	for until := time.Now().Add(program.Patience); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if o.Call(context.Background(), http.MethodGet, "/_ping", nil, new([]byte)) == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("the test's own engine does not start")
		default:
		}
	}
	return errors.New("the test's own engine does not answer")
}

// stop ends the engine as its service manager does, with all its containers.
func (o *ownEngine) stop() {
	_ = o.process.Process.Signal(syscall.SIGTERM)
	<-o.ended
}

// crash ends the engine and its containerd as a machine's lack of memory does. The
// containers run on without them, until the engine is back.
func (o *ownEngine) crash() {
	_ = o.process.Process.Kill()
	<-o.ended
	file := filepath.Join(o.dir, "exec", "containerd", "containerd.pid")
	said, err := os.ReadFile(file)
	if err != nil {
		return // it is the machine's
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(said)))
	for pid > 1 && syscall.Kill(pid, syscall.SIGKILL) == nil {
		time.Sleep(10 * time.Millisecond)
	}
	_ = os.Remove(file)
}

// freeze lets the engine take connections, and answer nothing any more, until thaw.
func (o *ownEngine) freeze() { _ = o.process.Process.Signal(syscall.SIGSTOP) }

func (o *ownEngine) thaw() { _ = o.process.Process.Signal(syscall.SIGCONT) }

// heal has the engine run, whatever was done to it.
func (o *ownEngine) heal() {
	o.thaw()
	select {
	case <-o.ended:
		o.check(o.begin())
	default:
	}
}

func (o *ownEngine) end() {
	if o.process == nil {
		return
	}
	o.thaw()
	o.stop()
	if o.t.Failed() {
		said, _ := os.ReadFile(filepath.Join(o.dir, "log"))
		o.t.Logf("the engine said:\n%s", said[max(0, len(said)-20_000):])
	}
}
