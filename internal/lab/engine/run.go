package engine

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"
)

// Waits between restarts, as Docker has them (moby, restartmanager): doubled
// each time, and from the beginning after a run that lasted.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = time.Minute
	lasting      = 10 * time.Second
)

// run is one life of a container, from a start until it stays down. It has one
// supervisor, which alone starts processes.
type run struct {
	hope   context.Context // done: no restart any more
	giveUp context.CancelFunc
	over   chan struct{} // closed when the supervisor ended: nothing runs, no port is taken

	// The rest is guarded by Engine.mu.
	cmd     *exec.Cmd // nil while no process runs
	streams []*stream
	proxies []*proxy
}

// signal sends sig to the program; SIGKILL goes to all its children too.
// Engine.mu is held.
func (r *run) signal(sig syscall.Signal) {
	switch {
	case r.cmd == nil:
	case sig == syscall.SIGKILL:
		killGroup(r.cmd)
	default:
		// It may have ended this moment; the supervisor sees to it.
		r.cmd.Process.Signal(sig)
	}
}

// start begins a new life of a container that does not run, and returns once
// its program runs, or with why it does not. c.op is held.
func (e *Engine) start(c *instance) error {
	r := &run{over: make(chan struct{})}
	r.hope, r.giveUp = context.WithCancel(e.life)
	e.mu.Lock()
	c.run = r
	c.restarts, c.stoppedByHand = 0, false
	e.mu.Unlock()
	first := make(chan error, 1)
	e.work.Go(func() {
		defer close(r.over)
		defer r.giveUp()
		// Pdeathsig looks at the thread that started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		e.supervise(c, r, first)
	})
	return <-first
}

// supervise starts the program, and again as the restart policy wants it.
func (e *Engine) supervise(c *instance, r *run, first chan<- error) {
	err := e.launch(c, r)
	if err != nil {
		e.failed(c, err)
		first <- err
		return
	}
	first <- nil
	wait := firstBackoff
	for {
		began := time.Now()
		code := exitCode(r.cmd.Wait())
		killGroup(r.cmd) // a container ends with its first process
		if time.Since(began) >= lasting {
			wait = firstBackoff
		}
		if !e.ended(c, r, code) {
			return
		}
		select {
		case <-time.After(wait):
		case <-r.hope.Done():
			e.rest(c)
			return
		}
		wait = min(2*wait, maxBackoff)
		if err := e.launch(c, r); err != nil {
			e.log.Warn("container could not be restarted", "id", short(c.id), "error", err)
			e.failed(c, err)
			return
		}
	}
}

// launch publishes the ports and starts the program, in this order.
func (e *Engine) launch(c *instance, r *run) error {
	if err := e.life.Err(); err != nil {
		return errors.New("the engine is shutting down")
	}
	e.mu.Lock()
	joining, err := e.networksToJoin(c)
	e.mu.Unlock()
	if err != nil {
		return err
	}
	proxies, ports, err := e.publish(c)
	if err != nil {
		return err
	}
	e.mu.Lock()
	c.prepared = true
	for ep, b := range joining {
		ep.network = b.ID
	}
	e.mu.Unlock()
	out := []*stream{{to: &c.log, kind: stdout}, {to: &c.log, kind: stderr}}
	cmd, err := e.startProcess(c, out)
	if err != nil {
		closeProxies(proxies)
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r.cmd, r.streams, r.proxies = cmd, out, proxies
	for ep, b := range joining {
		e.join(c, b, ep)
	}
	c.ports = ports
	c.startedBefore = true
	c.state = state{status: container.StateRunning, pid: cmd.Process.Pid, exits: c.state.exits, started: time.Now(), finished: c.state.finished}
	c.notify()
	if r.hope.Err() != nil {
		r.signal(syscall.SIGKILL) // it was stopped while it was being started
	}
	e.log.Info("container runs", "name", c.name, "address", c.addr, "pid", cmd.Process.Pid)
	return nil
}

// ended records the end of the program and says whether to restart it.
func (e *Engine) ended(c *instance, r *run, code int) bool {
	closeProxies(r.proxies)
	for _, s := range r.streams {
		s.end()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r.cmd, r.proxies = nil, nil
	c.ports = nil
	c.leaveAll()
	c.state.pid, c.state.exitCode, c.state.finished = 0, code, time.Now()
	c.state.exits++
	again := r.hope.Err() == nil && c.wantsRestart()
	if again {
		c.state.status = container.StateRestarting
		c.restarts++
	} else {
		c.state.status = container.StateExited
	}
	c.notify()
	e.log.Info("container ended", "name", c.name, "exit_code", code, "restart", again)
	if c.host.AutoRemove && e.life.Err() == nil {
		if err := e.forget(c, true); err != nil {
			e.log.Warn("container could not be removed", "name", c.name, "error", err)
		}
	}
	return again
}

// rest ends the wait for a restart that will not come.
func (e *Engine) rest(c *instance) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.state.status = container.StateExited
	c.notify()
}

// failed records why a container could not be started.
func (e *Engine) failed(c *instance, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.state.err, c.state.exitCode = err.Error(), 128
	if f := (*execError)(nil); errors.As(err, &f) {
		c.state.exitCode = f.exitCode
	}
	if c.running() {
		c.state.status = container.StateExited
	}
	c.notify()
}
