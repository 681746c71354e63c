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

	// Patience is how long a GitLab that does not answer is waited for before
	// anything is promoted. Zero means two minutes.
	Patience time.Duration

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
	for moves := 0; ; moves++ {
		before := r.result
		outcome, err := r.bring(ctx, seen, image)
		moved, ok := errors.AsType[*movedError](err)
		if !ok {
			return outcome, err
		}
		image = r.follow(moved, before)
		if moves == maxMoves {
			return outcome, err
		}
	}
}

// bring brings the gateway to image, and proves it.
func (r *run) bring(ctx context.Context, seen Observation, image Image) (Outcome, error) {
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
	switch {
	case !r.Rehearse:
	case plan.Unrehearsed != "":
		r.note("not rehearsed: " + plan.Unrehearsed)
	default:
		verdict, err := r.rehearse(ctx, plan)
		if err != nil {
			return "", err
		}
		if verdict != Pass {
			return r.reject(seen, verdict)
		}
	}
	if err := r.stillWanted(ctx, seen, plan.Image); err != nil {
		return "", err
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
	switch r.proveUntouched(ctx, Subject{Stage: Live, Gateway: seen.Live, Image: seen.Current.image(), Settled: true}) {
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
	if _, ok := errors.AsType[*ForeignError](err); ok {
		return "", err
	}
	if err != nil {
		return r.back(ctx, seen, promoted, fmt.Errorf("promoting %s: %w", plan.Image.Reference(), err))
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
