package kubernetes

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"aigw-ci/internal/upgrade"
)

const (
	// A lease names its own TTL. One of another make is not believed beyond this.
	longestTTL = 5 * time.Minute
	// clockError is more than the clocks of two machines differ by mistake.
	clockError = 10 * time.Minute
)

// outlive watches whoever holds a lease. It returns the lease as it was seen last
// when the holder gave it back or showed no sign of life, and a
// *upgrade.LockedError when the holder lives. A lease that is removed meanwhile is
// a "not found".
//
// What could not be seen proves nothing: after a request that failed the watch
// begins anew, up to twice.
func (l *lease) outlive(ctx context.Context, first *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	wait, last, failures := l.wait(first), first, 0
	for start := time.Now(); time.Since(start) < wait; {
		if err := pause(ctx, l.every/3); err != nil { // no faster: others watch too
			return nil, err
		}
		now, err := l.get(ctx)
		switch {
		case err != nil && (apierrors.IsNotFound(err) || failures == 2):
			return nil, err
		case err != nil:
			failures++
			start = time.Now()
			continue
		case holderOf(now) == "":
			return now, nil
		case !sameTerm(now, first) || !now.Spec.RenewTime.Equal(first.Spec.RenewTime):
			return nil, &upgrade.LockedError{Place: l.options.place, Holder: upgrade.Holder{Who: holderOf(now), Since: sinceOf(now)}}
		}
		last = now
	}
	l.log.Warn("taking over the lock of a run that died", "holder", holderOf(last), "since", sinceOf(last))
	return last, nil
}

// wait is how long a lease has to stand still until its holder is dead.
func (l *lease) wait(found *coordinationv1.Lease) time.Duration {
	ttl := l.options.ttl
	if s := found.Spec.LeaseDurationSeconds; s != nil && *s > 0 {
		ttl = max(ttl, min(time.Duration(*s)*time.Second, longestTTL))
	}
	if r := found.Spec.RenewTime; r != nil && time.Since(r.Time) > clockError {
		ttl /= 2
	}
	return ttl
}

// sameTerm reports whether two states of a lease are of one holder's one term.
func sameTerm(a, b *coordinationv1.Lease) bool {
	number := func(l *coordinationv1.Lease) int32 {
		if l.Spec.LeaseTransitions == nil {
			return 0
		}
		return *l.Spec.LeaseTransitions
	}
	return a.UID == b.UID && holderOf(a) == holderOf(b) && number(a) == number(b) && a.Spec.AcquireTime.Equal(b.Spec.AcquireTime)
}

// holderOf is who has a lease; empty when nobody does.
func holderOf(l *coordinationv1.Lease) string {
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	return clean(*l.Spec.HolderIdentity, 500)
}

func sinceOf(l *coordinationv1.Lease) time.Time {
	if l.Spec.AcquireTime == nil {
		return time.Time{}
	}
	return l.Spec.AcquireTime.Time
}

// pause waits for d, or for ctx to end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
