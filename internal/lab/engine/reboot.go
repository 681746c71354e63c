package engine

import (
	"sync"
	"time"
)

// shutDown stops every container, as an engine does that goes down: without
// counting it as stopped by hand. No call is under way.
func (e *Engine) shutDown() {
	var all sync.WaitGroup
	for _, c := range e.all() {
		all.Go(func() {
			c.op.Lock()
			defer c.op.Unlock()
			e.stop(c, 10*time.Second, false)
		})
	}
	all.Wait()
}

// comeBack starts the containers that an engine starts when it comes up (moby,
// daemon.restore). One that cannot be started stays down.
func (e *Engine) comeBack() {
	for _, c := range e.all() {
		e.mu.Lock()
		start := c.startedBefore && c.wantsRestart()
		e.mu.Unlock()
		if !start {
			continue
		}
		c.op.Lock()
		if err := e.start(c); err != nil {
			e.log.Warn("container could not be started after the restart", "id", short(c.id), "error", err)
		}
		c.op.Unlock()
	}
}

func (e *Engine) all() []*instance {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []*instance
	for _, c := range e.containers {
		out = append(out, c)
	}
	return out
}

// goingDown closes when the engine stops to serve. It never closes while the
// engine does not serve anyway.
func (e *Engine) goingDown() <-chan struct{} {
	if f := e.front.Load(); f != nil {
		return f.calls.Done()
	}
	return nil
}
