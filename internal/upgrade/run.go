package upgrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// errCouldNotLook is the end of a job that saw neither a pass nor a failure.
var errCouldNotLook = errors.New("it could not be looked at: see the inconclusive checks")

// run is one command on its way: the job, and what it has found so far.
type run struct {
	*Job
	result Result

	// held ends only when the lock is lost. The way back runs on it, so that a
	// cancelled job can still bring the old gateway back.
	held context.Context

	broken []Check // what was wrong with the old gateway before anything was done
}

// command runs do without a lock, for commands that change nothing.
func (j *Job) command(ctx context.Context, name string, do func(*run, context.Context) (Outcome, error)) Result {
	job := *j
	if job.Log == nil {
		job.Log = slog.New(slog.DiscardHandler)
	}
	r := &run{Job: &job, held: context.WithoutCancel(ctx)}
	r.result = Result{Command: name, Place: job.Target.Place()}
	outcome, err := do(r, ctx)
	if outcome == "" {
		outcome, err = r.explain(ctx, err)
	}
	r.result.Outcome, r.result.Err = outcome, err
	return r.result
}

// locked runs do while it holds the target.
func (j *Job) locked(ctx context.Context, name string, do func(*run, context.Context) (Outcome, error)) Result {
	return j.command(ctx, name, func(r *run, ctx context.Context) (outcome Outcome, err error) {
		lost, release, err := r.Target.Lock(ctx)
		if err != nil {
			return "", err
		}
		held, drop := context.WithCancelCause(r.held)
		ctx, stop := context.WithCancelCause(ctx)
		r.held = held
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			select {
			case <-lost:
				drop(ErrLockLost)
				stop(ErrLockLost)
			case <-held.Done():
			}
		}()
		defer func() {
			drop(nil)
			stop(nil)
			<-watched
		}()
		defer func() {
			free, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancel()
			if e := release(free); e != nil {
				r.Log.Warn("the lock could not be released; it runs out by itself", "error", e)
			}
		}()

		outcome, err = do(r, ctx)
		if outcome == "" { // explained here, where the context still tells why
			outcome, err = r.explain(ctx, err)
		}
		return outcome, err
	})
}

// explain is the one table from an error, before anything was promoted, to an outcome.
func (r *run) explain(ctx context.Context, err error) (Outcome, error) {
	var (
		locked  *LockedError
		noImage *NoImageError
	)
	switch {
	case errors.As(err, &locked), errors.Is(err, ErrLockLost), errors.Is(context.Cause(ctx), ErrLockLost):
		return Locked, err
	case ctx.Err() != nil:
		return r.cancelled(context.Cause(ctx))
	case errors.As(err, &noImage):
		return NoImage, err
	case isTemporary(err), r.result.Command == "verify":
		return Undecided, err
	default:
		return Failed, err
	}
}

// isTemporary reports whether err says of itself that it tells nothing about the
// gateway, and that the same question may be answered later.
func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

// cancelled ends a job that was cancelled before it promoted anything. The old
// gateway never left; exit code 8 promises that it works, so that is looked at.
func (r *run) cancelled(cause error) (Outcome, error) {
	ctx, cancel := r.wayBack()
	defer cancel()
	seen, err := r.Target.Observe(ctx)
	switch {
	case err != nil:
		return Undecided, errors.Join(cause, err)
	case seen.Live == nil:
		return Cancelled, cause
	}
	r.result.After = seen.Current
	switch r.proveUntouched(ctx, Subject{Stage: Live, Gateway: seen.Live, Image: seen.Current.image(), Settled: true, Hurry: true}) {
	case Pass:
		return Cancelled, cause
	case Fail:
		return RollbackFailed, errors.Join(cause, r.blame("the gateway, which was not touched, does not work"))
	default:
		return Undecided, errors.Join(cause, errCouldNotLook)
	}
}

// wayBack is the clock that a cancelled job still has.
func (r *run) wayBack() (context.Context, context.CancelFunc) {
	limit := r.WayBack
	if limit == 0 {
		limit = 10 * time.Minute
	}
	return context.WithTimeout(r.held, limit)
}

// phase does one step of the job, and records it.
func (r *run) phase(name, title string, step func() error) error {
	if r.Section != nil {
		defer r.Section(name, title)()
	}
	started := time.Now()
	err := step()
	p := Phase{Name: name, Started: started, Took: time.Since(started), Outcome: "done"}
	if err != nil {
		p.Outcome = "failed"
	}
	r.result.Phases = append(r.result.Phases, p)
	return err
}

// verify is a phase that judges.
func (r *run) verify(ctx context.Context, s Subject) (verdict Verdict) {
	title := map[Stage]string{Live: "Verify the gateway", Restored: "Verify the previous gateway"}[s.Stage]
	_ = r.phase("verify", title, func() error {
		verdict = r.judge(ctx, s)
		return nil
	})
	r.result.Phases[len(r.result.Phases)-1].Outcome = string(verdict)
	return verdict
}

// judge asks the gate and records what it saw.
func (r *run) judge(ctx context.Context, s Subject) Verdict {
	checks := r.Gate.Judge(ctx, s)
	r.result.Checks = append(r.result.Checks, checks...)
	return Judge(checks)
}

// baseline looks once at the old gateway, so that a way back that ends at a
// gateway which was broken all along is told as that.
func (r *run) baseline(ctx context.Context, seen Observation) {
	r.broken = nil
	if seen.Live == nil {
		return
	}
	for _, c := range r.Gate.Judge(ctx, Subject{Stage: Live, Gateway: seen.Live, Image: seen.Current.image(), Settled: true, Glance: true}) {
		if c.Verdict == Fail {
			r.broken = append(r.broken, c)
			r.note(fmt.Sprintf("before this run the gateway already failed %s: %s", c.ID, c.Detail))
		}
	}
}

// blame says whether a gateway that does not work was broken before this run.
func (r *run) blame(what string) error {
	if len(r.broken) == 0 {
		return errors.New(what + ": a person is needed")
	}
	return fmt.Errorf("%s: a person is needed; it was broken before this run: %s: %s", what, r.broken[0].ID, r.broken[0].Detail)
}

// watch measures the outage until the function it returns is called.
func (r *run) watch(ctx context.Context, seen Observation) (stop func()) {
	if r.Watch == nil || seen.Live == nil {
		return func() {}
	}
	end := r.Watch(context.WithoutCancel(ctx), seen.Live)
	return func() {
		if outage, measured := end(); measured {
			r.result.Outage = &outage
		}
	}
}

// evidence saves what is known about a gateway before it is destroyed.
func (r *run) evidence(stage Stage, g Gateway) {
	if r.Evidence == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.held, 30*time.Second)
	defer cancel()
	files, err := g.Evidence(ctx)
	if err != nil {
		r.Log.Warn("not all evidence could be read", "error", err)
	}
	r.Evidence(stage, files)
}

func (r *run) dismiss() error {
	ctx, cancel := r.wayBack()
	defer cancel()
	return r.Target.Dismiss(ctx)
}

// lookAgain records what runs now.
func (r *run) lookAgain(ctx context.Context) {
	if seen, err := r.Target.Observe(ctx); err == nil {
		r.result.After = seen.Current
	}
}

// note tells the administrator something, once.
func (r *run) note(text string) {
	if slices.Contains(r.result.Notes, text) {
		return
	}
	r.result.Notes = append(r.result.Notes, text)
	r.Log.Warn(text)
}
