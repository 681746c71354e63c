package engine

import (
	"net/http"
	"syscall"
)

// killContainer does not take op: it must get through to a container that
// somebody is stopping.
//
// Docker 20.10 gives up restarting a container that was sent any signal, unless
// its StopSignal is set and is another one; and it counts the container as
// stopped by hand, whatever the signal (moby, daemon/kill.go). So does this.
func (e *Engine) killContainer(w http.ResponseWriter, r *http.Request) error {
	ref := r.PathValue("id")
	sig, err := parseSignal(r.URL.Query().Get("signal"), syscall.SIGKILL)
	if err != nil {
		return err
	}
	e.mu.Lock()
	c, err := e.find(ref)
	switch {
	case err != nil:
		err = refuse(http.StatusNotFound, "Cannot kill container: %s: %v", ref, err)
	case !c.running():
		err = refuse(http.StatusConflict, "Cannot kill container: %s: Container %s is not running", ref, c.id)
	}
	if err != nil {
		e.mu.Unlock()
		return err
	}
	stopSignal, serr := parseSignal(c.config.StopSignal, 0)
	if serr != nil || stopSignal == 0 || sig == stopSignal || sig == syscall.SIGKILL {
		c.run.giveUp()
	}
	c.stoppedByHand = true
	c.run.signal(sig)
	over := c.run.over
	e.mu.Unlock()
	if sig == syscall.SIGKILL {
		<-over
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (e *Engine) removeContainer(w http.ResponseWriter, r *http.Request) error {
	force := truth(r, "force")
	if force { // before op is taken, which a stop that waits may hold
		e.mu.Lock()
		if c, err := e.find(r.PathValue("id")); err == nil && c.running() {
			c.run.giveUp()
			c.run.signal(syscall.SIGKILL)
		}
		e.mu.Unlock()
	}
	c, release, err := e.take(r)
	if err != nil {
		return err
	}
	defer release()
	if force {
		e.stop(c, 0, true)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.removed { // AutoRemove was quicker
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if c.running() {
		return refuse(http.StatusConflict, "You cannot remove a %s container %s. Stop the container before attempting removal or force remove", c.state.status, c.id)
	}
	if err := e.forget(c, truth(r, "v")); err != nil {
		return err
	}
	e.log.Info("container removed", "name", c.name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
