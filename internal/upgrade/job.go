package upgrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Job is everything the job works with. All interfaces must be set.
type Job struct {
	GitLab GitLab
	Images Images
	Target Target
	Gate   Gate

	// Platform is the setting "image.platform"; empty means what the target runs.
	Platform string
	// Rehearse is the setting "rehearse": prove the new image beside the old one
	// before any user reaches it.
	Rehearse bool
	// Rollback is the setting "rollback": put the previous gateway back when the
	// new one fails. Without it a failed gateway stays, and so does the old one,
	// set aside.
	Rollback bool

	// WayBack is how long putting the previous gateway back and proving it may
	// take. It runs on this clock of its own, also after the job was cancelled.
	// Zero means ten minutes.
	WayBack time.Duration

	// Watch starts measuring how long users cannot reach the gateway. It may be
	// nil; stop reports whether anything could be measured.
	Watch func(ctx context.Context, live Gateway) (stop func() (outage time.Duration, measured bool))

	// Evidence takes what is known about a gateway that is about to go. It may be nil.
	Evidence func(stage Stage, files []File)

	// Section opens a part of the job log and returns what closes it. It may be nil.
	Section func(phase, title string) (end func())

	Log *slog.Logger // nil discards
}

// Upgrade brings the gateway to the image that belongs to GitLab's version, and
// proves it. When the new version cannot be proven the old one serves, and is
// proven instead. The same call after an interrupted one ends what that began.
func (j *Job) Upgrade(ctx context.Context) Result {
	return j.locked(ctx, "upgrade", (*run).upgrade)
}

func (r *run) upgrade(ctx context.Context) (Outcome, error) {
	seen, err := r.settle(ctx)
	if err != nil {
		return "", err
	}
	image, err := r.resolve(ctx, seen)
	if err != nil {
		return "", err
	}
	plan, err := r.plan(ctx, seen, image)
	if err != nil {
		return "", err
	}
	if plan.Action == Nothing {
		return r.confirm(ctx, seen, image)
	}
	return r.replace(ctx, seen, plan)
}

// confirm proves that the right gateway, which runs already, works.
func (r *run) confirm(ctx context.Context, seen Observation, image Image) (Outcome, error) {
	r.result.After = seen.Current
	verdict := r.verify(ctx, Subject{Stage: Live, Gateway: seen.Live, Image: image, Release: r.result.Release, Settled: true})
	switch verdict {
	case Pass:
		return Unchanged, nil
	case Fail:
		return Failed, errors.New("the right image runs, but it does not work: see the failed checks; nothing was changed")
	default:
		return Undecided, errors.Join(context.Cause(ctx), errCouldNotLook)
	}
}

// replace carries a plan out: everything that can fail without touching the old
// gateway comes before promote.
func (r *run) replace(ctx context.Context, seen Observation, plan Plan) (Outcome, error) {
	r.baseline(ctx, seen)
	defer r.watch(ctx, seen)()

	if err := r.phase("prepare", "Download "+plan.Image.Reference(), func() error {
		return r.Target.Prepare(ctx, plan)
	}); err != nil {
		return "", err
	}
	if r.Rehearse {
		verdict, err := r.rehearse(ctx, plan)
		if err != nil {
			return "", err
		}
		if verdict != Pass {
			return r.reject(seen, verdict)
		}
	}
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	return r.promote(ctx, seen, plan)
}

// rehearse starts the planned gateway where no user reaches it, and judges it.
func (r *run) rehearse(ctx context.Context, plan Plan) (verdict Verdict, err error) {
	err = r.phase("rehearse", "Rehearse where no user reaches it", func() error {
		candidate, err := r.Target.Rehearse(ctx, plan)
		if err != nil {
			return errors.Join(err, r.dismiss())
		}
		verdict = r.judge(ctx, Subject{Stage: Rehearsal, Gateway: candidate, Image: plan.Image, Release: r.result.Release})
		if verdict != Pass {
			r.evidence(Rehearsal, candidate)
		}
		return errors.Join(context.Cause(ctx), r.dismiss())
	})
	return verdict, err
}

// reject ends a job whose rehearsal did not pass. The old gateway never left;
// that it works is looked at and not assumed.
func (r *run) reject(seen Observation, verdict Verdict) (Outcome, error) {
	if verdict == Inconclusive {
		return Undecided, fmt.Errorf("the rehearsal: %w; the gateway was not touched", errCouldNotLook)
	}
	if seen.Live == nil {
		return Failed, errors.New("the rehearsal failed; nothing was installed")
	}
	r.result.After = seen.Current
	ctx, cancel := r.wayBack()
	defer cancel()
	switch r.verify(ctx, Subject{Stage: Live, Gateway: seen.Live, Image: seen.Current.image(), Settled: true}) {
	case Pass:
		return Rejected, errors.New("the rehearsal failed; the old gateway was not touched and works")
	case Fail:
		return RollbackFailed, r.blame("the rehearsal failed, and the old gateway, which was not touched, does not work either")
	default:
		return Undecided, fmt.Errorf("the rehearsal failed; the old gateway was not touched, but: %w", errCouldNotLook)
	}
}

// promote puts the new gateway in the place of the old one and judges it there.
func (r *run) promote(ctx context.Context, seen Observation, plan Plan) (Outcome, error) {
	var promoted Gateway
	err := r.phase("promote", "Promote "+plan.Image.Reference(), func() (err error) {
		promoted, err = r.Target.Promote(ctx, plan)
		return err
	})
	if err != nil {
		return r.back(ctx, seen, nil, fmt.Errorf("promoting %s: %w", plan.Image.Reference(), err))
	}

	verdict := r.verify(ctx, Subject{Stage: Live, Gateway: promoted, Image: plan.Image, Release: r.result.Release})
	switch {
	case ctx.Err() != nil:
		return r.back(ctx, seen, promoted, context.Cause(ctx))
	case verdict == Pass:
		r.keep()
		if plan.Action == Install {
			return Installed, nil
		}
		return Upgraded, nil
	case verdict == Inconclusive:
		r.note("the new gateway serves but is not proven; the old one is kept, stopped, and the next run decides")
		return Undecided, fmt.Errorf("the new gateway: %w", errCouldNotLook)
	case !r.Rollback:
		r.evidence(Live, promoted)
		r.note("the setting rollback is off: the failed gateway stays, the old one is kept, stopped; `aigw-ci rollback` puts it back")
		return RollbackFailed, errors.New("the new gateway failed, and the setting rollback is off")
	default:
		return r.back(ctx, seen, promoted, errors.New("the new gateway failed"))
	}
}

// keep drops what the way back would have needed. The new gateway is proven, so
// trouble here changes nothing for its users; the next run tidies up.
func (r *run) keep() {
	ctx, cancel := r.wayBack()
	defer cancel()
	err := r.phase("keep", "Remove the old gateway", func() error { return r.Target.Keep(ctx) })
	if err != nil {
		r.note("the old gateway could not be removed (" + err.Error() + "); the next run removes it")
	}
	r.lookAgain(ctx)
}

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
			if err == nil {
				return nil
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
