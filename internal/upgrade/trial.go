package upgrade

import (
	"context"
	"errors"
	"fmt"
)

// Trier is a Target that can start its gateway a second time, without authentication,
// to tell trouble with authentication from other trouble. A Target need not be one.
type Trier interface {
	// Trial starts a gateway like the one that was seen, of the same image and with
	// the same settings, but without authentication, where no user reaches it. What an
	// earlier one left is removed first; Dismiss removes this one. The caller holds
	// the lock.
	Trial(ctx context.Context, seen Observation) (Gateway, error)
}

// Unlocker is a Gate that knows what to ask such a gateway.
type Unlocker interface {
	// Unlocked makes the one check of a trial.
	Unlocked(ctx context.Context, trial Gateway) Check
}

// VerifyWithTrial is Verify, and then a trial: its check is one more in the result.
// It can make the outcome worse and never better, because nothing that is true of a
// gateway without authentication is proven of the one that users reach.
//
// The trial does not outlive the call, also when that is cancelled. When the process
// is killed, the trial is for the target a rehearsal that was left, which the next
// upgrade, rollback or trial removes.
//
// Where the Target is no Trier, or the Gate no Unlocker, the outcome is Misused, and
// neither is asked anything.
func (j *Job) VerifyWithTrial(ctx context.Context) Result {
	target, able := j.Target.(Trier)
	gate, knows := j.Gate.(Unlocker)
	if !able || !knows {
		place := j.Target.Place()
		return Result{Command: "verify", Place: place, Outcome: Misused, Err: fmt.Errorf(
			"a gateway on %s cannot be tried without authentication: leave --bypass-auth out", place.Kind)}
	}
	return j.locked(ctx, "verify", func(r *run, ctx context.Context) (Outcome, error) {
		seen, err := r.observe(ctx)
		if err != nil {
			return "", err
		}
		outcome, err := r.prove(ctx, seen)
		switch {
		case outcome == "" || seen.Live == nil || ctx.Err() != nil:
			return outcome, err
		case seen.Interrupted == Swapping || seen.Interrupted == Unproven:
			return spoiled(outcome), errors.Join(err, errors.New("no trial: first `aigw-ci upgrade` has to end what an interrupted run began"))
		}
		return r.try(ctx, target, gate, seen, outcome, err)
	})
}

// try makes the trial after outcome and err were found without it.
func (r *run) try(ctx context.Context, target Trier, gate Unlocker, seen Observation, outcome Outcome, err error) (Outcome, error) {
	var verdict Verdict
	var left error
	tried := r.phase("trial", "Try a second gateway WITHOUT AUTHENTICATION", func() error {
		r.note("AUTHENTICATION WAS SWITCHED OFF in a second gateway, for a trial: gateway.trial says nothing about the gateway that users reach")
		trial, err := target.Trial(ctx, seen)
		if err == nil {
			check := gate.Unlocked(ctx, trial)
			r.result.Checks = append(r.result.Checks, check)
			verdict = check.Verdict
			if verdict == Fail {
				r.evidence(Rehearsal, trial)
			}
		}
		left = r.dismiss()
		return errors.Join(err, left)
	})
	switch {
	case errors.Is(context.Cause(ctx), ErrLockLost):
		return "", errors.Join(ErrLockLost, tried)
	case left != nil:
		return Failed, errors.Join(err, fmt.Errorf("A GATEWAY WITHOUT AUTHENTICATION IS LEFT; `aigw-ci upgrade` removes it: %w", tried))
	case tried != nil:
		return spoiled(outcome), errors.Join(err, fmt.Errorf("the trial: %w", tried))
	}
	r.Log.Warn("the gateway without authentication is gone")
	switch {
	case outcome != Verified || verdict == Pass:
		return outcome, err
	case verdict == Fail:
		return Failed, errors.New("the gateway is not right: see the failed checks")
	default:
		return Undecided, errors.Join(context.Cause(ctx), errCouldNotLook)
	}
}

// spoiled is the outcome of a verification whose trial could not be made.
func spoiled(outcome Outcome) Outcome {
	if outcome == Verified {
		return Undecided
	}
	return outcome
}
