package upgrade

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Target is the place where the gateway runs.
//
// The methods that change something are idempotent: each may find its own work
// half done by a run that was killed, and brings it to the same end.
type Target interface {
	// Place names the target, for the report.
	Place() Place

	// Lock takes the target for this run, or returns a *LockedError. A lock whose
	// holder is gone is taken over. The lost channel is closed when the lock is
	// lost while it is held; from then on nothing may be changed any more. Release
	// is called exactly once.
	Lock(ctx context.Context) (lost <-chan struct{}, release func(context.Context) error, err error)

	// Observe reads what runs and what an interrupted run left. It changes nothing.
	Observe(ctx context.Context) (Observation, error)

	// Plan compares what runs with image and with the declared settings. It refuses
	// what could not be reproduced faithfully with a *RefusedError. It changes nothing.
	Plan(ctx context.Context, seen Observation, image Image) (Plan, error)

	// Prepare downloads everything the plan needs. The gateway is not touched.
	Prepare(ctx context.Context, plan Plan) error

	// Rehearse starts the planned gateway beside the old one, where no user reaches it.
	Rehearse(ctx context.Context, plan Plan) (Gateway, error)

	// Dismiss removes the rehearsal; without one it does nothing.
	Dismiss(ctx context.Context) error

	// Promote puts the planned gateway in the place of the old one, which stays
	// ready for Restore until Keep. A *ForeignError says that nothing was changed;
	// after any other error, Restore is called.
	Promote(ctx context.Context, plan Plan) (Gateway, error)

	// Keep drops what Restore would need.
	Keep(ctx context.Context) error

	// Restore puts the instance that Promote set aside back in its place, and
	// removes the promoted one. When there was none before (a first install) it
	// removes the promoted one and returns a nil Gateway. A *ForeignError says that
	// there is somebody else's gateway now, and that trying again is of no use.
	Restore(ctx context.Context) (Gateway, error)

	// Previous is what came before the current gateway, from the target's own record;
	// the zero Past when there is none.
	Previous(ctx context.Context) (Past, error)
}

// Past is what came before a gateway.
type Past struct {
	Image string // "repository:tag@sha256:..."

	// Left is set when a rollback left Image for the current one, which is older.
	Left bool
}

// Place is a target's name.
type Place struct {
	Kind string // "docker" or "kubernetes"
	Name string // the container, or namespace/release
}

// Interruption is how far a run came that did not end.
type Interruption string

const (
	// Clean: no run was interrupted.
	Clean Interruption = ""
	// Rehearsing: a rehearsal was left. The live gateway was not touched.
	Rehearsing Interruption = "rehearsing"
	// Swapping: between the old and the new gateway, or on the way back. No proven
	// gateway may be serving; Restore brings the old one back.
	Swapping Interruption = "swapping"
	// Unproven: the new gateway is in place, and the old one still set aside.
	// Whether the new one works was never decided.
	Unproven Interruption = "unproven"
)

// Observation is the target as it was found.
type Observation struct {
	Current     *Instance // nil: no gateway yet
	Live        Gateway   // a handle on Current; nil with it
	Interrupted Interruption
	Back        bool     // what was interrupted after its rehearsal was a rollback
	Platform    string   // "linux/amd64": what the target runs
	Notes       []string // what the administrator should know, one line each
	Detail      any      // the target's own; handed back to Plan
}

// Action is what a plan will do.
type Action string

const (
	Nothing Action = "nothing" // the right image runs with the declared settings
	Install Action = "install"
	Replace Action = "replace"
)

// Plan is what will be done, decided before anything is done.
type Plan struct {
	Action  Action
	Image   Image
	Changes []Change
	Notes   []string // what the administrator must do or know, one line each

	// Unrehearsed is why this plan cannot be rehearsed, in words that end the
	// sentence "not rehearsed: "; empty when it can. It is promoted all the same.
	Unrehearsed string

	// Back is set for a rollback, by the job: the target remembers it.
	Back bool

	Detail any // the target's own; handed back to Rehearse and Promote
}

// Change is one difference between what runs and what is planned. Values of
// secrets are already replaced.
type Change struct {
	Field string // "image", "environment.AIGW_GITLAB_URL"
	From  string
	To    string
}

// Holder is the run that has a lock.
type Holder struct {
	Who   string    // job URL, or user@host
	Since time.Time // by the holder's clock
}

// LockedError says that another run is at work on the target.
type LockedError struct {
	Place  Place
	Holder Holder
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s %q is in use by %s since %s: wait for that run to end",
		e.Place.Kind, e.Place.Name, e.Holder.Who, e.Holder.Since.UTC().Format(time.RFC3339))
}

// RefusedError says why a gateway cannot be reproduced faithfully. Nothing was changed.
type RefusedError struct {
	Place   Place
	Reasons []string
}

func (e *RefusedError) Error() string {
	s := fmt.Sprintf("%s %q cannot be upgraded without losing something:", e.Place.Kind, e.Place.Name)
	for _, r := range e.Reasons {
		s += "\n  - " + r
	}
	return s
}

// ForeignError says that somebody else changed the target while a run was at it. What
// they made is left alone.
type ForeignError struct {
	Place Place
	What  string // they did, as far as it can be seen
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("somebody else changed %s %q during this run, and that is left alone: %s; run this again once they are done",
		e.Place.Kind, e.Place.Name, e.What)
}

// ErrLockLost is the cause of a run that can no longer be sure of its lock: another
// run has taken it over, or may have by now, because the target took no sign of life.
var ErrLockLost = errors.New("the lock on the target was lost, so nothing more was changed")
