package upgrade

import (
	"context"
	"errors"
	"fmt"
)

// settle observes the target and first ends what an interrupted run began, so
// that everything after it starts from one gateway and nothing else.
func (r *run) settle(ctx context.Context) (Observation, error) {
	seen, err := r.observe(ctx)
	if err != nil || seen.Interrupted == Clean {
		return seen, err
	}
	made := len(r.result.Checks)
	if err := r.recover(ctx, seen); err != nil {
		return seen, fmt.Errorf("ending an interrupted run: %w", err)
	}
	r.bury(made)
	seen, err = r.observe(ctx)
	if err == nil && seen.Interrupted != Clean {
		err = fmt.Errorf("what an interrupted run left (%s) could not be cleared", seen.Interrupted)
	}
	return seen, err
}

// bury turns what was found wrong since made into notes: it was about gateways that an
// interrupted run left, and this run is not to be judged by them.
func (r *run) bury(made int) {
	kept := r.result.Checks[:made:made]
	for _, c := range r.result.Checks[made:] {
		if c.Verdict != Fail && c.Verdict != Inconclusive {
			kept = append(kept, c)
			continue
		}
		r.note(fmt.Sprintf("after the interrupted run, %s (%s): %s", c.ID, c.Stage, c.Detail))
	}
	r.result.Checks = kept
}

func (r *run) recover(ctx context.Context, seen Observation) error {
	switch seen.Interrupted {
	case Rehearsing:
		return r.dismiss()

	case Unproven:
		// The new gateway may be serving well: it is judged before it is touched, and
		// as strictly as a new one. It was never proven, so restarts that are over
		// count, and the time it has been up does not.
		switch r.verify(ctx, Subject{Stage: Live, Gateway: seen.Live, Image: seen.Current.image()}) {
		case Pass:
			back, cancel := r.wayBack()
			defer cancel()
			return r.Target.Keep(back)
		case Inconclusive:
			return errors.Join(context.Cause(ctx), errUndecidedLeftover)
		}
		r.evidence(Live, seen.Live)
	}

	back, cancel := r.wayBack()
	defer cancel()
	restored, err := r.restore(back)
	if err != nil || restored == nil {
		return err
	}
	r.lookAgain(back)
	if r.proveRestored(back, Subject{Stage: Restored, Gateway: restored, Image: r.old(seen)}) != Pass {
		r.note("the gateway that an interrupted run had set aside is back, and does not pass its checks")
	}
	return nil
}

// undecidedLeftover is a gateway that an interrupted run promoted and nobody could look at since.
type undecidedLeftover struct{}

var errUndecidedLeftover undecidedLeftover

func (undecidedLeftover) Error() string {
	return "the gateway that an interrupted run promoted could not be looked at; it and the one before it were left as they are"
}

// Temporary marks the error as "could not look".
func (undecidedLeftover) Temporary() bool { return true }
