package upgrade

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"aigw-ci/internal/version"
)

// GitLab may be upgraded while this runs: a download and a rehearsal take minutes,
// and both jobs like the night. So its version is read again when everything that
// takes long is over, and nothing is promoted that GitLab does not want any more.

// maxMoves is how often one run starts over because GitLab moved on. Two is an
// upgrade with one required stop, docs.gitlab.com/update/upgrade_paths; a GitLab
// that moves on more often is better waited for.
const maxMoves = 2

// movedError says that GitLab went to a version that another image belongs to.
// Nothing was promoted.
type movedError struct {
	from, to version.GitLab
	image    Image // belongs to the version that GitLab went to
}

func (e *movedError) Error() string {
	return fmt.Sprintf("GitLab went on to %v while the gateway for %v was prepared, and not for the first time; "+
		"the gateway was not touched: run this again when GitLab's upgrade is over", e.to, e.from)
}

// Temporary marks the error as one of GitLab and not of the gateway.
func (*movedError) Temporary() bool { return true }

// unreadError says that GitLab did not tell its version a second time. Nothing
// was promoted.
type unreadError struct{ cause error }

func (e *unreadError) Error() string {
	return fmt.Sprintf("GitLab may have been upgraded meanwhile, and could not be asked; the gateway was not touched: %v", e.cause)
}

func (e *unreadError) Unwrap() error { return e.cause }

// Temporary marks the error as "could not look".
func (*unreadError) Temporary() bool { return true }

// stillWanted looks whether image still belongs to GitLab's version. When another
// one does, the error is a *movedError that names it.
//
// A version that cannot be read again is an *unreadError and not a promotion on
// the strength of the first reading. GitLab is silent above all while it is being
// upgraded, so just then the first reading says least. Waiting costs nobody
// anything, as the old gateway serves; promoting costs an outage, perhaps for an
// image that has to go again; and the next run finds the download done.
func (r *run) stillWanted(ctx context.Context, seen Observation, image Image) error {
	was := r.result.Release
	if was.Version == (version.GitLab{}) {
		return nil // the way back to a previous image, which was not chosen for a version
	}
	var moved *movedError
	err := r.phase("resolve", "Look at GitLab's version again", func() error {
		now, err := r.readAgain(ctx)
		if err != nil {
			return &unreadError{err}
		}
		if now.Version == was.Version {
			r.Log.Info("GitLab still runs " + now.Version.String())
			return nil
		}
		r.result.Release = now
		wanted, err := r.Images.Find(ctx, now.Version, cmp.Or(r.Platform, seen.Platform))
		if err != nil {
			r.result.Image, r.result.Changes = Image{}, nil // they belong to the version before
			return fmt.Errorf("GitLab went from %v to %v while the gateway was prepared, and the gateway was not touched: %w", was.Version, now.Version, err)
		}
		if wanted.Reference() == image.Reference() {
			r.Log.Info("GitLab runs "+now.Version.String()+" by now, and the image is the same", "before", was.Version.String())
			return nil
		}
		moved = &movedError{from: was.Version, to: now.Version, image: wanted}
		return nil
	})
	if err == nil && moved != nil {
		r.result.Phases[len(r.result.Phases)-1].Outcome = "moved"
		return moved
	}
	return err
}

// follow turns to the image that belongs to GitLab by now. What was found out about
// the one before it, since the result was as before, is about nothing any more.
func (r *run) follow(moved *movedError, before Result) Image {
	r.result.Image, r.result.Changes = moved.image, nil
	r.result.Checks, r.result.Notes = before.Checks, before.Notes
	r.note(fmt.Sprintf("GitLab went from %v to %v during this run; the image is now %s", moved.from, moved.to, moved.image.Reference()))
	return moved.image
}

// readAgain reads GitLab's version, and waits for a GitLab that restarts.
func (r *run) readAgain(ctx context.Context) (Release, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.Patience, 2*time.Minute))
	defer cancel()
	for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
		release, err := r.GitLab.Version(ctx)
		if err == nil || !isTemporary(err) {
			return release, err
		}
		r.Log.Warn("GitLab does not tell its version; the gateway is not touched before it does", "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return release, err
		case <-time.After(wait):
		}
	}
}
