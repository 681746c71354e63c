package upgrade

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// errNoPrevious is returned where there is nothing to go back to.
var errNoPrevious = errors.New("there is no record of a previous gateway here: pin the image you want with image.tag and run upgrade")

// RollBack brings the image back that ran before the current one. It goes the way
// of an upgrade: rehearsed, promoted, proven, and undone when it fails. Once it is
// back, the same call proves it and goes no further: neither a second time to what
// was left on purpose, nor to what is older still.
func (j *Job) RollBack(ctx context.Context) Result {
	return j.locked(ctx, "rollback", (*run).rollBack)
}

func (r *run) rollBack(ctx context.Context) (Outcome, error) {
	seen, err := r.observe(ctx)
	if err != nil {
		return "", err
	}
	// The instance that an upgrade set aside is still there: nothing is a better way
	// back. What a rollback set aside is what it was leaving.
	if (seen.Interrupted == Unproven || seen.Interrupted == Swapping) && !seen.Back {
		return r.back(ctx, seen, seen.Live, nil)
	}
	if seen, err = r.settle(ctx); err != nil {
		return "", err
	}
	past, err := r.Target.Previous(ctx)
	switch {
	case err != nil:
		return "", err
	case past.Image == "":
		return Failed, errNoPrevious
	case past.Left && seen.Current == nil:
		return Failed, errors.New("an earlier rollback came here, and no gateway runs any more: `aigw-ci upgrade` brings one")
	case past.Left:
		r.note("an earlier rollback already came here, from " + past.Image + "; `aigw-ci upgrade` goes forward again")
		return r.bringBack(ctx, seen, seen.Current.Image, "an earlier rollback brought it back")
	}
	return r.bringBack(ctx, seen, past.Image, "it ran before the current one")
}

// bringBack brings the gateway to an image by its reference.
func (r *run) bringBack(ctx context.Context, seen Observation, reference, reason string) (Outcome, error) {
	var image Image
	if err := r.phase("resolve", "Find the previous image", func() (err error) {
		image, err = r.Images.Describe(ctx, reference, cmp.Or(r.Platform, seen.Platform))
		return err
	}); err != nil {
		return "", fmt.Errorf("looking up the previous image: %w", err)
	}
	image.Reason = reason
	r.result.Image = image

	outcome, err := r.bring(ctx, seen, image)
	if outcome == Upgraded || outcome == Unchanged {
		outcome = RolledBack
	}
	return outcome, err
}
