package upgrade

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// back puts the previous gateway back and proves it.
func (r *run) back(ctx context.Context, seen Observation, failed Gateway, cause error) (Outcome, error) {
	if err := r.held.Err(); err != nil {
		return "", context.Cause(r.held)
	}
	cancelled := ctx.Err() != nil
	ctx, cancel := r.wayBack()
	defer cancel()

	if failed != nil && !cancelled {
		r.evidence(Live, failed)
	}
	restored, err := r.restore(ctx)
	r.lookAgain(ctx)
	if err != nil {
		return RollbackFailed, errors.Join(cause, fmt.Errorf("putting the previous gateway back: %w", err))
	}
	if restored == nil {
		r.note("there was no gateway before this run, and there is none now")
		if cancelled {
			return Cancelled, cause
		}
		return Failed, cause
	}

	// A cancelled job has little time: one good answer from a gateway that was
	// proven for long is worth more than a long hold that the runner cuts off.
	switch r.proveRestored(ctx, Subject{Stage: Restored, Gateway: restored, Image: r.old(seen), Hurry: cancelled}) {
	case Pass:
		if cancelled {
			return Cancelled, cause
		}
		return RolledBack, cause
	case Fail:
		return RollbackFailed, errors.Join(cause, r.blame("the previous gateway was put back and does not work"))
	default:
		return Undecided, errors.Join(cause, fmt.Errorf("the previous gateway was put back, but: %w", errCouldNotLook))
	}
}

// proveRestored judges the previous gateway. A target may still be carrying out a
// stop that was asked for before: a gateway that goes down once it is back is put
// back once more.
func (r *run) proveRestored(ctx context.Context, s Subject) Verdict {
	made := len(r.result.Checks)
	verdict := r.verify(ctx, s)
	if verdict != Fail || ctx.Err() != nil {
		return verdict
	}
	if state, err := s.Gateway.State(ctx); err != nil || state.Status != Exited {
		return verdict
	}
	if _, err := r.restore(ctx); err != nil {
		return verdict
	}
	r.result.Checks = r.result.Checks[:made] // they were about its end, and it runs again
	return r.verify(ctx, s)
}

// restartTime is how long a target that restarts may take to bring back what ran.
const restartTime = 15 * time.Second

// proveUntouched judges the old gateway, which this run never stopped. When it is down,
// it may be the target that restarted: such a gateway is back in a moment.
func (r *run) proveUntouched(ctx context.Context, s Subject) Verdict {
	runs := func() bool {
		state, err := s.Gateway.State(ctx)
		return err == nil && state.Status == Running
	}
	made := len(r.result.Checks)
	verdict := r.verify(ctx, s)
	if verdict != Fail || runs() {
		return verdict
	}
	for late := time.After(restartTime); ; {
		select {
		case <-ctx.Done():
			return verdict
		case <-late:
			return verdict
		case <-time.After(time.Second):
		}
		if runs() {
			r.result.Checks = r.result.Checks[:made] // they were about a gateway that was down
			return r.verify(ctx, s)
		}
	}
}

// old is the image that must be running once the way back is gone. After an
// interrupted run that is what the target has now, not what it had when it was seen.
func (r *run) old(seen Observation) Image {
	if seen.Interrupted == Clean && seen.Current != nil {
		return seen.Current.image()
	}
	if r.result.After != nil {
		return r.result.After.image()
	}
	return Image{}
}

// restore tries again for as long as the way back may take: an engine that
// restarts in the middle of it must not decide how the night ends.
func (r *run) restore(ctx context.Context) (restored Gateway, err error) {
	err = r.phase("restore", "Put the previous gateway back", func() error {
		for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
			restored, err = r.Target.Restore(ctx)
			if _, foreign := errors.AsType[*ForeignError](err); err == nil || foreign {
				return err
			}
			r.Log.Warn("the previous gateway is not back yet; trying again", "error", err, "in", wait)
			select {
			case <-ctx.Done():
				return err
			case <-time.After(wait):
			}
		}
	})
	return restored, err
}
