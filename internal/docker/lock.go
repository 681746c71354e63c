package docker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// lockTTL is how long a lock may show no sign of life before its holder counts as
// dead. The holder gives a sign every second; an engine that is busy, unpacking an image
// onto a slow disk, may take no other for many seconds.
const lockTTL = 15 * time.Second

// LockOptions say what to lock, and for whom.
type LockOptions struct {
	Container string        // the gateway's container
	Who       string        // job URL, or user@host: what others are told
	TTL       time.Duration // 0: fifteen seconds. All contenders must agree on it
}

// Lock takes a container for this run, against every other run of this program
// that reaches the same engine, from wherever. It fulfils upgrade.Target's promise.
//
// The lock is a container that never runs, called <container>.aigw-ci-lock.
// Creating a container under a name succeeds exactly once, so it is the engine
// that decides who holds the lock. The holder writes a counter into it every
// second. A contender that sees the counter move is told who holds the lock; one
// that sees it stand still for the whole TTL removes the container by its ID and
// starts over. By ID, because among several contenders only the one that removes
// what it watched does no harm: a lock taken meanwhile is another container.
//
// The holder notices on its next beat that its container is gone. It also counts
// the lock as lost when the engine took no beat for the whole TTL: the latest moment
// at which nobody else can have it yet. Shorter hiccups do no harm.
func (e *Engine) Lock(ctx context.Context, o LockOptions) (lost <-chan struct{}, release func(context.Context) error, err error) {
	l := &lock{
		engine: e,
		name:   o.Container + ".aigw-ci-lock",
		place:  upgrade.Place{Kind: "docker", Name: o.Container},
		holder: upgrade.Holder{Who: clean(o.Who, 500), Since: time.Now()},
		ttl:    o.TTL,
		lost:   make(chan struct{}),
	}
	if l.ttl <= 0 {
		l.ttl = lockTTL
	}
	l.every = min(time.Second, l.ttl/10)
	if err := l.acquire(ctx); err != nil {
		return nil, nil, err
	}
	return l.lost, l.release, nil
}

// lock is a lock that this run holds or tries to get.
type lock struct {
	engine     *Engine
	name       string
	place      upgrade.Place
	holder     upgrade.Holder
	ttl, every time.Duration

	id      string // of our container, once we hold the lock
	lost    chan struct{}
	stop    context.CancelFunc
	beating sync.WaitGroup
}

// acquire tries until it has the lock or somebody living has it. Each round ends
// with the lock's name free, so only as many rounds fail as others get ahead.
func (l *lock) acquire(ctx context.Context) error {
	for range 100 {
		id, err := l.create(ctx)
		if err == nil {
			return l.hold(ctx, id)
		}
		if !isConflict(err) {
			return l.engine.explain("locking "+l.place.Name, err)
		}
		if err := l.outlive(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("locking %s: its lock %s changes hands all the time: try again later", l.place.Name, l.name)
}

// create makes the lock's container. It is the one atomic step. What was made for a
// run that is cancelled meanwhile is taken away by hold.
func (l *lock) create(ctx context.Context) (id string, err error) {
	for range 10 {
		asked, cancel := outlast(ctx)
		made, err := l.engine.api.ContainerCreate(asked, client.ContainerCreateOptions{
			Name: l.name,
			Config: &container.Config{
				Image: lockImage,
				Cmd:   []string{"/never-started"}, // an engine wants one
				Labels: map[string]string{
					LabelRole:   RoleLock,
					LabelTarget: l.place.Name,
					LabelRun:    l.holder.Who,
					LabelSince:  l.holder.Since.UTC().Format(time.RFC3339),
				},
			},
			HostConfig: &container.HostConfig{NetworkMode: "none"},
		})
		cancel()
		if err == nil {
			return made.ID, nil
		}
		if !isNotFound(err) {
			return "", err
		}
		// The image is missing: never there, or removed with the last lock.
		if err := l.engine.importEmpty(ctx); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("the engine loses image %s as soon as it has it", lockImage)
}

// hold begins to show signs of life. The first is written before anybody is told
// that the lock is held.
func (l *lock) hold(ctx context.Context, id string) error {
	l.id = id
	sent := time.Now()
	if err := l.engine.writeBeat(ctx, id, 1); err != nil {
		_ = l.remove(context.WithoutCancel(ctx))
		return l.engine.explain("writing the lock of "+l.place.Name, err)
	}
	// A cancelled job still rolls back, and needs the lock for it.
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.beating.Go(func() { l.beat(ctx, sent) })
	return nil
}

// beat writes the counter until ctx ends or the lock is lost. good is when the
// last beat that arrived was sent.
func (l *lock) beat(ctx context.Context, good time.Time) {
	ticker := time.NewTicker(l.every)
	defer ticker.Stop()
	for n := uint64(2); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		sent := time.Now()
		err := l.beatOnce(ctx, n, good)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			good = sent
			n++
		case isNotFound(err):
			l.lose("another run removed it")
			return
		case time.Since(good)+l.every >= l.ttl:
			l.lose("the engine took no sign of life for " + l.ttl.String() + ": " + engineWords(err))
			return
		default:
			l.log().Warn("the engine did not take the lock's sign of life", "cause", engineWords(err))
		}
	}
}

// beatOnce gives up early enough to try again, and in any case before the lock
// counts as lost.
func (l *lock) beatOnce(ctx context.Context, n uint64, good time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, min(l.ttl/3, time.Until(good.Add(l.ttl-l.every/2))))
	defer cancel()
	return l.engine.writeBeat(ctx, l.id, n)
}

func (l *lock) lose(why string) {
	l.log().Error("the lock is lost, nothing may be changed any more", "why", why)
	close(l.lost)
}

// release gives the lock back. It removes our container and nobody else's.
func (l *lock) release(ctx context.Context) error {
	l.stop()
	l.beating.Wait()
	return l.remove(ctx)
}

func (l *lock) remove(ctx context.Context) error {
	err := l.engine.removeContainer(ctx, l.id)
	l.engine.removeImages(ctx, RoleLock)
	return l.engine.explain("removing the lock "+l.name, err)
}

func (l *lock) log() *slog.Logger { return l.engine.log.With("lock", l.name) }
