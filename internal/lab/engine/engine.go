// Package engine is a small stand-in for a Docker Engine. It speaks the Engine
// API 1.41 (docs.docker.com/reference/api/engine/version/v1.41) over a unix
// socket or loopback TCP and runs a container's program as a plain process.
//
// It exists for two uses: to show the program where no real engine can be had,
// and to play an engine that fails at a chosen moment (see Rule), which a real
// one cannot be asked to do. Status codes, bodies and error texts were taken
// from Docker 20.10.24.
//
// It isolates nothing: a "container" is a process of the user who runs the
// engine, told by LAB_HOST which loopback address is its own and by LAB_ROOT
// where its files lie. So it pulls from loopback registries only, publishes
// ports on loopback only, and never writes outside its own directory. It needs
// Linux, where all of 127.0.0.0/8 can be bound.
//
// What a real engine does and this one leaves out: exec, attach, events, pause
// (answered 501), name resolution between containers, resource limits, users,
// health checks that run (they stay "starting"), sharing of layers between
// images, and copying an image's files into a new volume.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Options say how an engine is made. The zero value is a working engine on a
// unix socket.
type Options struct {
	Dir    string       // where the engine makes its own directory; empty is the system's temporary one
	TCP    bool         // serve on a free port of 127.0.0.1 instead of a unix socket
	Log    *slog.Logger // nil discards
	Script []Rule       // faults to play; see also Engine.Add

	// OnCall is told of every call that changes something, before the call is
	// carried out. It may block, and it may end the caller: the call is carried
	// out all the same, as by an engine whose client died. It must not wait for
	// Restart or Close, which wait for calls.
	OnCall func(Call)
}

// Engine is one stand-in engine. Its methods are safe for concurrent use.
type Engine struct {
	log    *slog.Logger
	onCall func(Call)
	script script
	tcp    bool

	dir     string // everything it keeps
	sockDir string // a short path of its own: a unix socket's is limited to 107 bytes
	net     loopback
	api     http.Handler

	life context.Context // ends with Close, and every process with it
	end  context.CancelFunc
	work sync.WaitGroup // every goroutine the engine started

	gate   sync.RWMutex          // held for reading by every call, for writing by Start, Restart and Close
	front  atomic.Pointer[front] // nil while not serving; changed under the gate
	closed bool                  // guarded by the gate

	mu         sync.Mutex // guards what follows, and all fields of what the maps hold
	serial     int        // makes IDs unique
	containers map[string]*instance
	networks   map[string]*bridge
	volumes    map[string]*volume
	images     map[string]*image
	refs       map[string]string // "repo:tag" and "repo@sha256:..." to image ID
}

// New makes an engine that does not serve yet. Close it in any case.
func New(o Options) (*Engine, error) {
	e := &Engine{
		log: o.Log, onCall: o.OnCall, tcp: o.TCP,
		containers: map[string]*instance{},
		networks:   map[string]*bridge{},
		volumes:    map[string]*volume{},
		images:     map[string]*image{},
		refs:       map[string]string{},
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.script.add(o.Script)
	var err error
	if e.net, err = claimLoopback(); err != nil {
		return nil, err
	}
	if e.dir, err = os.MkdirTemp(o.Dir, "engine-"); err == nil {
		e.dir, err = filepath.Abs(e.dir)
	}
	if err == nil {
		e.sockDir, err = os.MkdirTemp("", "engine-")
	}
	for _, sub := range []string{"containers", "images", "volumes"} {
		if err == nil {
			err = os.Mkdir(filepath.Join(e.dir, sub), 0o700)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the stand-in engine's directory: %w", err), e.removeAll())
	}
	e.life, e.end = context.WithCancel(context.Background())
	e.api = e.routes()
	for _, name := range []string{"bridge", "host", "none"} {
		e.addNetwork(predefined(name))
	}
	return e, nil
}

// Start begins to serve. Host is known from then on.
func (e *Engine) Start() error {
	e.gate.Lock()
	defer e.gate.Unlock()
	switch {
	case e.closed:
		return errors.New("starting the stand-in engine: it was closed")
	case e.front.Load() != nil:
		return errors.New("starting the stand-in engine: it is serving already")
	}
	network, addr := "unix", filepath.Join(e.sockDir, "docker.sock")
	if e.tcp {
		network, addr = "tcp", "127.0.0.1:0"
	}
	return e.serve(network, addr)
}

// Host is the engine's address as DOCKER_HOST spells it; empty while it does
// not serve.
func (e *Engine) Host() string {
	f := e.front.Load()
	if f == nil {
		return ""
	}
	return f.network + "://" + f.addr
}

// Restart plays a restart of the engine: connections are dropped, containers
// are stopped, and those come back that their restart policy brings back: with
// "always" also one that was stopped by hand, with "unless-stopped" not; with
// "on-failure" one that failed. One that was never started stays down.
func (e *Engine) Restart() error {
	e.hangUp()
	e.gate.Lock()
	defer e.gate.Unlock()
	f := e.front.Load()
	if e.closed || f == nil {
		return errors.New("restarting the stand-in engine: it is not serving")
	}
	e.stopServing()
	e.shutDown()
	e.comeBack()
	return e.serve(f.network, f.addr)
}

// Close ends every connection and every process, and removes what the engine
// kept. An engine that is closed stays so; closing it again does nothing.
func (e *Engine) Close() error {
	e.end()
	e.hangUp()
	e.gate.Lock()
	defer e.gate.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.stopServing()
	e.work.Wait()
	return e.removeAll()
}

func (e *Engine) removeAll() error {
	err := e.net.release()
	for _, dir := range []string{e.dir, e.sockDir} {
		if dir != "" {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}
