package engine

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
)

// instance is a container.
type instance struct {
	id       string
	created  time.Time
	image    string // ID
	platform string // "linux"
	dir      string // its directory; the program's files are in dir/root
	log      logs

	// op is held by whoever starts, stops or removes it: one at a time. It is
	// taken before Engine.mu, never after.
	op sync.Mutex

	// The rest is guarded by Engine.mu.
	name          string // without the slash
	config        container.Config
	macAddress    string // Config.MacAddress, which newer API types lack
	host          container.HostConfig
	mounts        []mounted
	endpoints     map[string]*endpoint // by network name
	addr          netip.Addr           // its loopback address, from creation to removal
	ports         portMap              // published while it runs
	state         state
	restarts      int
	prepared      bool // a start came as far as its program, once
	startedBefore bool
	stoppedByHand bool
	removed       bool
	run           *run          // nil until it is started
	changed       chan struct{} // closed, and made anew, whenever the state changes
}

// state is what inspect calls State.
type state struct {
	status   container.ContainerState
	pid      int
	exitCode int
	exits    int // how often it ended
	err      string
	started  time.Time
	finished time.Time
}

// running is what Docker calls so: also while it waits to be restarted.
func (c *instance) running() bool {
	return c.state.status == container.StateRunning || c.state.status == container.StateRestarting
}

// notify wakes everybody who waits for a change. Engine.mu is held.
func (c *instance) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *instance) rootDir() string { return filepath.Join(c.dir, "root") }

// path and args are the program and its arguments.
func (c *instance) path() (string, []string) {
	argv := make([]string, 0, len(c.config.Entrypoint)+len(c.config.Cmd)) // never nil: inspect shows []
	argv = append(append(argv, c.config.Entrypoint...), c.config.Cmd...)
	if len(argv) == 0 {
		return "", argv
	}
	return argv[0], argv[1:]
}

// find looks a container up by ID, by name (with or without its slash), or by
// the beginning of its ID. e.mu is held.
func (e *Engine) find(ref string) (*instance, error) {
	if c := e.containers[ref]; c != nil {
		return c, nil
	}
	if c := e.named(strings.TrimPrefix(ref, "/")); c != nil {
		return c, nil
	}
	if idForm.MatchString(ref) {
		for id, c := range e.containers {
			if strings.HasPrefix(id, ref) {
				return c, nil
			}
		}
	}
	return nil, refuse(http.StatusNotFound, "No such container: %s", ref)
}

func (e *Engine) named(name string) *instance {
	for _, c := range e.containers {
		if c.name == name {
			return c
		}
	}
	return nil
}

// take finds the container a call is about and holds its op.
func (e *Engine) take(r *http.Request) (c *instance, release func(), err error) {
	ref := r.PathValue("id")
	e.mu.Lock()
	c, err = e.find(ref)
	e.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	c.op.Lock()
	e.mu.Lock()
	removed := c.removed
	e.mu.Unlock()
	if removed {
		c.op.Unlock()
		return nil, nil, refuse(http.StatusNotFound, "No such container: %s", ref)
	}
	return c, c.op.Unlock, nil
}

// forget removes a container that does not run, with its anonymous volumes if
// asked for. e.mu is held.
func (e *Engine) forget(c *instance, volumes bool) error {
	delete(e.containers, c.id)
	c.removed = true
	c.notify()
	var first error
	if volumes {
		for _, m := range c.mounts {
			if m.anonymous && len(e.usersOf(m.Name)) == 0 {
				if err := e.dropVolume(m.Name); err != nil && first == nil {
					first = err
				}
			}
		}
	}
	if err := os.RemoveAll(c.dir); err != nil && first == nil {
		first = err
	}
	if first != nil {
		return fmt.Errorf("removing container %s: %w", c.name, first)
	}
	return nil
}
