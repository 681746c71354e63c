package upgrade

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Plan says what Upgrade would do. It changes nothing.
func (j *Job) Plan(ctx context.Context) Result {
	return j.command(ctx, "plan", func(r *run, ctx context.Context) (Outcome, error) {
		seen, err := r.observe(ctx)
		if err != nil {
			return "", err
		}
		image, err := r.resolve(ctx, seen)
		if err != nil {
			return "", err
		}
		if _, err := r.plan(ctx, seen, image); err != nil {
			return "", err
		}
		r.result.After = seen.Current
		return Planned, nil
	})
}

// Verify proves that the gateway which runs is the right one, and works. It
// changes nothing.
func (j *Job) Verify(ctx context.Context) Result {
	return j.command(ctx, "verify", func(r *run, ctx context.Context) (Outcome, error) {
		seen, err := r.observe(ctx)
		if err != nil {
			return "", err
		}
		return r.prove(ctx, seen)
	})
}

// prove proves the gateway that was seen.
func (r *run) prove(ctx context.Context, seen Observation) (Outcome, error) {
	if seen.Live == nil {
		return Failed, fmt.Errorf("no gateway runs on %s %q: `aigw-ci upgrade` installs one", r.result.Place.Kind, r.result.Place.Name)
	}
	r.result.After = seen.Current
	image, err := r.resolve(ctx, seen)
	if err != nil {
		return "", err
	}
	switch r.verify(ctx, Subject{Stage: Live, Gateway: seen.Live, Image: image, Release: r.result.Release, Settled: true}) {
	case Pass:
		return Verified, nil
	case Fail:
		return Failed, errors.New("the gateway is not right: see the failed checks")
	default:
		return Undecided, errors.Join(context.Cause(ctx), errCouldNotLook)
	}
}

// Resolve finds the image for GitLab's version and looks at nothing else.
func (j *Job) Resolve(ctx context.Context, platform string) Result {
	return j.command(ctx, "resolve", func(r *run, ctx context.Context) (Outcome, error) {
		if _, err := r.resolve(ctx, Observation{Platform: platform}); err != nil {
			return "", err
		}
		return Planned, nil
	})
}

// observe reads the target and tells what an interrupted run left.
func (r *run) observe(ctx context.Context) (seen Observation, err error) {
	err = r.phase("observe", "Look at what runs", func() error {
		seen, err = r.Target.Observe(ctx)
		return err
	})
	if err != nil {
		return seen, err
	}
	r.result.Before = seen.Current
	for _, n := range seen.Notes {
		r.note(n)
	}
	if seen.Interrupted != Clean {
		r.note(fmt.Sprintf("an earlier run did not end (%s); `aigw-ci upgrade` ends it", seen.Interrupted))
	}
	return seen, nil
}

// resolve reads GitLab's version and finds the image that belongs to it.
func (r *run) resolve(ctx context.Context, seen Observation) (image Image, err error) {
	err = r.phase("resolve", "Find the image for GitLab's version", func() error {
		release, err := r.GitLab.Version(ctx)
		if err != nil {
			return err
		}
		r.result.Release = release
		r.Log.Info("GitLab runs "+release.Version.String(), "url", release.URL, "source", release.Source)
		image, err = r.Images.Find(ctx, release.Version, cmp.Or(r.Platform, seen.Platform))
		if err != nil {
			return err
		}
		r.result.Image = image
		r.Log.Info("the image is "+image.Reference(), "reason", image.Reason)
		return nil
	})
	return image, err
}

// plan compares what runs with what should run.
func (r *run) plan(ctx context.Context, seen Observation, image Image) (plan Plan, err error) {
	err = r.phase("plan", "Plan", func() error {
		plan, err = r.Target.Plan(ctx, seen, image)
		return err
	})
	if err != nil {
		return plan, err
	}
	plan.Back = r.result.Command == "rollback"
	r.result.Changes = plan.Changes
	for _, c := range plan.Changes {
		r.Log.Info("change "+c.Field, "from", c.From, "to", c.To)
	}
	if plan.Action == Nothing {
		r.Log.Info("nothing to change")
	}
	for _, n := range plan.Notes {
		r.note(n)
	}
	return plan, nil
}
