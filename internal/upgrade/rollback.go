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
// of an upgrade: rehearsed, promoted, proven, and undone when it fails.
func (j *Job) RollBack(ctx context.Context) Result {
	return j.locked(ctx, "rollback", (*run).rollBack)
}

func (r *run) rollBack(ctx context.Context) (Outcome, error) {
	seen, err := r.observe(ctx)
	if err != nil {
		return "", err
	}
	// The old instance itself is still there: nothing is a better way back.
	if seen.Interrupted == Unproven || seen.Interrupted == Swapping {
		return r.back(ctx, seen, seen.Live, nil)
	}
	if seen, err = r.settle(ctx); err != nil {
		return "", err
	}
	reference, err := r.Target.Previous(ctx)
	if err != nil {
		return "", err
	}
	if reference == "" {
		return Failed, errNoPrevious
	}

	var image Image
	if err := r.phase("resolve", "Find the previous image", func() (err error) {
		image, err = r.Images.Describe(ctx, reference, cmp.Or(r.Platform, seen.Platform))
		return err
	}); err != nil {
		return "", fmt.Errorf("looking up the previous image: %w", err)
	}
	image.Reason = "it ran before the current one"
	r.result.Image = image

	outcome, err := r.bring(ctx, seen, image)
	if outcome == Upgraded {
		outcome = RolledBack
	}
	return outcome, err
}
