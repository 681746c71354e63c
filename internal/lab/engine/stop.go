package engine

import (
	"syscall"
	"time"
)

// stop ends a container's life: its stop signal first, SIGKILL after wait. It
// returns when nothing runs any more. c.op is held.
func (e *Engine) stop(c *instance, wait time.Duration, byHand bool) {
	e.mu.Lock()
	if !c.running() {
		e.mu.Unlock()
		return
	}
	r := c.run
	c.stoppedByHand = c.stoppedByHand || byHand
	r.giveUp()
	sig, err := parseSignal(c.config.StopSignal, syscall.SIGTERM)
	if err != nil {
		sig = syscall.SIGTERM
	}
	if wait > 0 {
		r.signal(sig)
	}
	e.mu.Unlock()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-r.over:
		return
	case <-t.C:
	case <-e.goingDown():
	}
	e.mu.Lock()
	r.signal(syscall.SIGKILL)
	e.mu.Unlock()
	<-r.over
}
