package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	leases "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"aigw-ci/internal/upgrade"
)

// leaseTTL is how long a lock may show no sign of life before its holder counts as
// dead, unless the options say otherwise.
const leaseTTL = 30 * time.Second

// errNoNamespace says that a lock cannot be made because its namespace is not there.
var errNoNamespace = errors.New("the namespace does not exist")

// leaseOptions say what to lock, and for whom.
type leaseOptions struct {
	name  string        // the Lease object's
	who   string        // job URL, or user@host: what others are told
	ttl   time.Duration // 0: thirty seconds
	place upgrade.Place
}

// lock takes a Lease for this run, against every other run of this program on the
// same release, from wherever. It fulfils upgrade.Target's promise. Where the
// namespace is missing, the error is errNoNamespace.
//
// Every write names the version of the object that it was based on, and the API
// server refuses it when somebody else has written since: so there is one winner
// among any number of contenders.
//
// The holder renews the lease six times within the TTL. A contender compares no
// clocks: it looks whether the lease changes while it watches, for the TTL that the
// lease itself names. Only one that was renewed more than ten minutes ago by the
// contender's clock, and so is almost certainly a dead run's, is watched for half of
// that, which is still three renewals. A lease that was given back has no holder,
// and costs no wait.
//
// The holder counts the lock as lost when somebody else has the lease, and when no
// renewal got through for eleven twelfths of the TTL, the latest moment at which
// nobody else can have it yet. So with the usual TTL an API server may be gone for
// twenty seconds at any time.
func (c *Cluster) lock(ctx context.Context, o leaseOptions) (lost <-chan struct{}, release func(context.Context) error, err error) {
	if o.ttl <= 0 {
		o.ttl = leaseTTL
	}
	l := &lease{
		cluster: c,
		api:     c.api.CoordinationV1().Leases(c.namespace),
		options: o,
		every:   o.ttl / 6,
		lost:    make(chan struct{}),
		log:     c.log.With("lock", o.name),
	}
	if err := l.acquire(ctx); err != nil {
		return nil, nil, err
	}
	// A cancelled job still rolls back, and needs the lock for it.
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.renewing.Go(func() { l.renew(ctx) })
	return l.lost, l.release, nil
}

// lease is a lock that this run holds or tries to get.
type lease struct {
	cluster *Cluster
	api     leases.LeaseInterface
	options leaseOptions
	every   time.Duration
	log     *slog.Logger

	held *coordinationv1.Lease // as we last wrote it; the renewing goroutine's, once it runs
	good time.Time             // when the last write that got through was sent

	lost     chan struct{}
	stop     context.CancelFunc
	renewing sync.WaitGroup
}

// requestTimeout bounds one look at the lease.
const requestTimeout = 10 * time.Second

// acquire tries until it has the lease or somebody living has it. A round is lost
// only to another contender that got ahead.
func (l *lease) acquire(ctx context.Context) error {
	for range 100 {
		err := l.try(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errNoNamespace):
			return err
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
			continue
		case errors.As(err, new(*upgrade.LockedError)):
			return err
		}
		return l.cluster.explain("taking the lock "+l.options.name, err)
	}
	return fmt.Errorf("locking %s: its lock %s changes hands all the time: try again later", l.options.place.Name, l.options.name)
}

func (l *lease) try(ctx context.Context) error {
	found, err := l.get(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return l.create(ctx)
	case err != nil:
		return err
	}
	if holderOf(found) != "" {
		if found, err = l.outlive(ctx, found); err != nil {
			return err
		}
	}
	return l.write(ctx, l.claim(found))
}

func (l *lease) get(ctx context.Context) (*coordinationv1.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return l.api.Get(ctx, l.options.name, metav1.GetOptions{})
}

func (l *lease) create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	sent := time.Now()
	made, err := l.api.Create(ctx, l.claim(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Name:   l.options.name,
		Labels: map[string]string{"app.kubernetes.io/managed-by": "aigw-ci"},
	}}), metav1.CreateOptions{})
	if err == nil {
		l.held, l.good = made, sent
	}
	// "Not found" to a creation is about what the object was to be put into.
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("locking %s: %w: %w", l.options.place.Name, errNoNamespace, err)
	}
	return err
}

// write updates the lease, if nobody else did since it was read.
func (l *lease) write(ctx context.Context, next *coordinationv1.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, min(requestTimeout, l.options.ttl/3))
	defer cancel()
	sent := time.Now()
	written, err := l.api.Update(ctx, next, metav1.UpdateOptions{})
	if err == nil {
		l.held, l.good = written, sent
	}
	return err
}

// claim is the lease as ours.
func (l *lease) claim(found *coordinationv1.Lease) *coordinationv1.Lease {
	next := found.DeepCopy()
	now := metav1.NowMicro()
	var transitions int32
	if found.Spec.LeaseTransitions != nil {
		transitions = *found.Spec.LeaseTransitions + 1
	}
	next.Spec = coordinationv1.LeaseSpec{
		HolderIdentity:       new(clean(l.options.who, 500)),
		AcquireTime:          &now,
		RenewTime:            &now,
		LeaseDurationSeconds: new(int32(max(1, (l.options.ttl+time.Second-1)/time.Second))),
		LeaseTransitions:     &transitions,
	}
	if *next.Spec.HolderIdentity == "" {
		next.Spec.HolderIdentity = new("an unknown run")
	}
	return next
}

// renew shows signs of life until ctx ends or the lock is lost.
func (l *lease) renew(ctx context.Context) {
	wait := l.every
	for {
		if pause(ctx, wait) != nil {
			return
		}
		err := l.renewOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			wait = l.every
			continue
		case errors.Is(err, upgrade.ErrLockLost):
			l.lose(err.Error())
			return
		}
		wait = l.every / 3
		if time.Since(l.good)+wait >= l.options.ttl-l.every/2 {
			l.lose("no sign of life got through for " + time.Since(l.good).Round(time.Second).String() + ": " + clean(err.Error(), 500))
			return
		}
		l.log.Warn("the API server did not take the lock's sign of life", "cause", clean(err.Error(), 500))
	}
}

// renewOnce writes one sign of life. A conflict is not the end yet: the answer to an
// earlier write of ours may have been lost, or somebody may have put a label on it.
func (l *lease) renewOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(l.options.ttl/3, time.Until(l.good.Add(l.options.ttl-l.every/2))))
	defer cancel()
	for range 5 {
		next := l.held.DeepCopy()
		next.Spec.RenewTime = new(metav1.NowMicro())
		err := l.write(ctx, next)
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("somebody removed the Lease: %w", upgrade.ErrLockLost)
		}
		if !apierrors.IsConflict(err) {
			return err
		}
		found, err := l.get(ctx)
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("somebody removed the Lease: %w", upgrade.ErrLockLost)
		}
		if err != nil {
			return err
		}
		if !sameTerm(found, l.held) {
			return fmt.Errorf("%s has it: %w", holderOf(found), upgrade.ErrLockLost)
		}
		l.held = found
	}
	return errors.New("somebody else writes to the Lease all the time")
}

func (l *lease) lose(why string) {
	l.cluster.presence.fence()
	l.log.Error("the lock is lost, nothing may be changed any more", "why", why)
	close(l.lost)
}

// release gives the lock back: the object stays, without a holder. What is somebody
// else's by now is left alone.
func (l *lease) release(ctx context.Context) error {
	l.stop()
	l.renewing.Wait()
	select {
	case <-l.lost:
		return nil
	default:
	}
	for range 5 {
		next := l.held.DeepCopy()
		next.Spec.HolderIdentity = new("")
		next.Spec.RenewTime = new(metav1.NowMicro())
		err := l.write(ctx, next)
		if !apierrors.IsConflict(err) {
			if apierrors.IsNotFound(err) {
				return nil
			}
			return l.cluster.explain("giving back the lock "+l.options.name, err)
		}
		found, err := l.get(ctx)
		if apierrors.IsNotFound(err) || err == nil && !sameTerm(found, l.held) {
			return nil
		}
		if err != nil {
			return l.cluster.explain("giving back the lock "+l.options.name, err)
		}
		l.held = found
	}
	return fmt.Errorf("giving back the lock %s: somebody else writes to it all the time", l.options.name)
}
