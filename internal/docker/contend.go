package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// outlive watches whoever holds the lock. It returns nil when the name is free
// again, because the holder gave it back or was found dead and was removed, and a
// *upgrade.LockedError when the holder lives.
func (l *lock) outlive(ctx context.Context) error {
	found, err := l.engine.api.ContainerInspect(ctx, l.name, client.ContainerInspectOptions{})
	if isNotFound(err) {
		return pause(ctx, l.every/10) // being made or removed just now
	}
	if err != nil {
		return l.engine.explain("looking at the lock "+l.name, err)
	}
	if found.Container.Config == nil || found.Container.Config.Labels[LabelRole] != RoleLock {
		return fmt.Errorf("container %s has the name of the lock and is none: rename or remove it", l.name)
	}
	if state := found.Container.State; state != nil && state.Status == container.StateDead {
		// Whoever may remove it began to, and the engine was stopped in the middle. Such
		// a container cannot be read, and would seem locked for ever.
		return l.engine.explain("removing what is left of the lock "+l.name, l.engine.removeContainer(ctx, found.Container.ID))
	}
	holder := holderOf(found.Container)
	alive, err := l.watch(ctx, found.Container.ID)
	switch {
	case isNotFound(err):
		return nil // given back while we watched
	case err != nil:
		return l.engine.explain("watching the lock "+l.name, err)
	case alive:
		return &upgrade.LockedError{Place: l.place, Holder: holder}
	}
	l.log().Warn("taking over the lock of a run that died", "holder", holder.Who, "since", holder.Since)
	return l.engine.explain("removing the lock of a dead run", l.engine.removeContainer(ctx, found.Container.ID))
}

// watch reports whether the holder's counter moves within the TTL. The engine has
// to answer all the time: a counter that could not be read says nothing, so after
// each failure the time begins anew, a few times.
func (l *lock) watch(ctx context.Context, id string) (alive bool, err error) {
	for range 5 {
		alive, err = l.watchOnce(ctx, id)
		if err == nil || isNotFound(err) || ctx.Err() != nil {
			return alive, err
		}
		if err := pause(ctx, l.every); err != nil {
			return false, err
		}
	}
	return false, err
}

func (l *lock) watchOnce(ctx context.Context, id string) (alive bool, err error) {
	first, err := l.engine.readBeat(ctx, id)
	if err != nil {
		return false, err
	}
	// No faster than it beats, and ever more slowly: others watch too, and an engine that
	// is busy with them does not take the holder's sign.
	for start, looks := time.Now(), 1; time.Since(start) < l.ttl; looks++ {
		wait := min(time.Duration(looks)*l.every, max(l.ttl-time.Since(start), l.every))
		if err := pause(ctx, wait); err != nil {
			return false, err
		}
		switch now, err := l.engine.readBeat(ctx, id); {
		case err != nil:
			return false, err
		case now != first:
			return true, nil
		}
	}
	return false, nil
}

func holderOf(c container.InspectResponse) upgrade.Holder {
	since, _ := time.Parse(time.RFC3339, c.Config.Labels[LabelSince])
	who := clean(c.Config.Labels[LabelRun], 500)
	if who == "" {
		who = "an unknown run"
	}
	return upgrade.Holder{Who: who, Since: since}
}

// pause waits for d, or for ctx to end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
