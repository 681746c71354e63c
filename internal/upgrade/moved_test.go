package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/upgrade"
)

// TestGitLabMovesOn is about a GitLab that is not the same before promotion as it
// was when the image was chosen.
func TestGitLabMovesOn(t *testing.T) {
	refused := errors.New("401: GitLab does not accept the token")
	tests := map[string]struct {
		before string
		moves  func(w *world, rehearsal int) // what GitLab does during the first rehearsal, the second, ...

		outcome   upgrade.Outcome
		exit      int
		after     string
		rehearsed []string
		says      string // a part of the notes or of the error
	}{
		"to a version of the same line": {
			before: "old", moves: func(w *world, _ int) { w.gitlab.Patch++ },
			outcome: upgrade.Upgraded, after: "new", rehearsed: []string{"new"},
		},
		"to the next line": {
			before: "old", moves: once(func(w *world) { w.gitlab.Minor++ }),
			outcome: upgrade.Upgraded, after: "18.4", rehearsed: []string{"new", "18.4"}, says: "went from 18.3.0 to 18.4.0",
		},
		"before a first install": {
			moves:   once(func(w *world) { w.gitlab.Minor++ }),
			outcome: upgrade.Installed, after: "18.4", rehearsed: []string{"new", "18.4"},
		},
		"to the line that the gateway is on already": {
			before: "18.4", moves: once(func(w *world) { w.gitlab.Minor++ }),
			outcome: upgrade.Unchanged, after: "18.4", rehearsed: []string{"new"},
		},
		"twice": {
			before: "old", moves: func(w *world, n int) { w.gitlab.Minor = min(3+n, 5) },
			outcome: upgrade.Upgraded, after: "18.5", rehearsed: []string{"new", "18.4", "18.5"},
		},
		"again and again": {
			before: "old", moves: func(w *world, _ int) { w.gitlab.Minor++ },
			outcome: upgrade.Undecided, exit: 6, after: "old", rehearsed: []string{"new", "18.4", "18.5"}, says: "not touched: run this again",
		},
		"to a line without an image": {
			before: "old", moves: once(func(w *world) { w.gitlab.Minor++; w.missing[w.gitlab.Line()] = true }),
			outcome: upgrade.NoImage, exit: 3, after: "old", rehearsed: []string{"new"}, says: "no gateway image for GitLab 18.4",
		},
		"to an image that fails its rehearsal": {
			before: "old", moves: once(func(w *world) { w.gitlab.Minor++; w.weak["18.4"] = true }),
			outcome: upgrade.Rejected, exit: 4, after: "old", rehearsed: []string{"new", "18.4"},
		},
		"and is back after a while": {
			before: "old", moves: once(func(w *world) { w.gitlab.Minor++; w.silent = until(time.Now().Add(time.Minute)) }),
			outcome: upgrade.Upgraded, after: "18.4", rehearsed: []string{"new", "18.4"},
		},
		"and is not back in time": {
			before: "old", moves: once(func(w *world) { w.silent = until(time.Now().Add(time.Hour)) }),
			outcome: upgrade.Undecided, exit: 6, after: "old", rehearsed: []string{"new"}, says: "may have been upgraded",
		},
		"and will not tell any more": {
			before: "old", moves: once(func(w *world) { w.silent = func() error { return refused } }),
			outcome: upgrade.Undecided, exit: 6, after: "old", rehearsed: []string{"new"}, says: refused.Error(),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tt.before)
				rehearsals := 0
				w.step = func(_ int, call string) fault {
					if call == "judge rehearsal" {
						rehearsals++
						tt.moves(w, rehearsals)
					}
					return none
				}
				began := time.Now()
				r := w.job("new").Upgrade(t.Context())
				if r.Outcome != tt.outcome || r.ExitCode() != tt.exit {
					t.Errorf("ended %s, exit %d (%v); want %s, exit %d", r.Outcome, r.ExitCode(), r.Err, tt.outcome, tt.exit)
				}
				if took := time.Since(began); took > 3*time.Minute {
					t.Errorf("it took %v", took)
				}
				if got := w.running(); got != tt.after {
					t.Errorf("%q serves; want %q", got, tt.after)
				}
				if got := w.gate[upgrade.Rehearsal]; !slices.Equal(got, tt.rehearsed) {
					t.Errorf("rehearsed %q; want %q", got, tt.rehearsed)
				}
				if said := fmt.Sprint(r.Notes, r.Err); !strings.Contains(said, tt.says) {
					t.Errorf("it says %q; want %q", said, tt.says)
				}
				if r.ExitCode() == 0 && r.Image.Tag != tt.after {
					t.Errorf("the image of the result is %q", r.Image.Tag)
				}
				if r.Outcome == upgrade.NoImage && (r.Image != upgrade.Image{} || r.Release.Version != w.gitlab) {
					t.Errorf("the result is about the image %q for GitLab %v", r.Image.Tag, r.Release.Version)
				}
				checkOne(t, r)
			})
		})
	}
}

// once is a move during the first rehearsal alone.
func once(move func(*world)) func(*world, int) {
	return func(w *world, rehearsal int) {
		if rehearsal == 1 {
			move(w)
		}
	}
}

// until is a GitLab that is down until then.
func until(then time.Time) func() error {
	return func() error {
		if time.Now().Before(then) {
			return down{}
		}
		return nil
	}
}

type down struct{}

func (down) Error() string   { return "502: GitLab is not responding" }
func (down) Temporary() bool { return true }

// checkOne wants the checks of one gateway at each stage: those of an image that was
// given up on say nothing about the one that the result is about.
func checkOne(t *testing.T, r upgrade.Result) {
	t.Helper()
	made := map[upgrade.Stage]int{}
	for _, c := range r.Checks {
		if made[c.Stage]++; made[c.Stage] > 1 {
			t.Errorf("there are several %s checks: %v", c.Stage, r.Checks)
		}
	}
}

// TestGitLabMovesOnAtEveryMoment upgrades GitLab during each call of the job, with
// each fault in each later call. What is promoted belongs to what GitLab said when
// everything slow was over (the model looks at that), and the next run, in peace,
// ends at the image that belongs to GitLab.
func TestGitLabMovesOnAtEveryMoment(t *testing.T) {
	const calls = 30 // a job that starts over makes fewer
	for _, before := range []string{"", "old", "18.4"} {
		for _, f := range []fault{none, refuse, lie, abandon, kill, killed} {
			for moment := 1; moment <= calls; moment++ {
				for n := moment; n <= calls; n++ {
					name := fmt.Sprintf("before %q, moved at call %d, fault %d at call %d", before, moment, f, n)
					synctest.Test(t, func(t *testing.T) { moveAt(t, name, before, f, moment, n) })
				}
			}
		}
	}
}

func moveAt(t *testing.T, name, before string, f fault, moment, faulty int) {
	w := newWorld(t, before)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.step = func(n int, _ string) fault {
		if n == moment {
			w.gitlab.Minor++
		}
		switch {
		case n != faulty:
			return none
		case f == abandon:
			cancel()
			return none
		}
		return f
	}
	r, died := w.upgrade(ctx, "new")
	switch wanted := belongs(r.Release.Version, "new"); {
	case died:
	case before != "" && w.running() == "" && r.Outcome != upgrade.RollbackFailed:
		t.Errorf("%s: nothing serves, and the result says %s (%v)", name, r.Outcome, r.Err)
	case r.ExitCode() == 0 && (w.running() != wanted || r.Image.Tag != wanted):
		t.Errorf("%s: %s claimed with the image %s, %q serves, and GitLab said %v", name, r.Outcome, r.Image.Tag, w.running(), r.Release.Version)
	case r.Outcome == upgrade.Failed && w.running() != before && w.running() != wanted:
		t.Errorf("%s: %s claimed (%v), and %q serves", name, r.Outcome, r.Err, w.running())
	}

	w.step = nil
	if w.gitlab.Minor == 3 {
		return // the job ended before that moment
	}
	r, _ = w.upgrade(t.Context(), "new")
	if w.running() != "18.4" || r.ExitCode() != 0 || w.candidate != nil || w.aside != nil || w.held {
		t.Errorf("%s, run again: %s (%v), and %q serves", name, r.Outcome, r.Err, w.running())
	}
}

// TestUnrehearsed is about a plan that a target cannot rehearse.
func TestUnrehearsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		w.unrehearsed = "nothing is there yet that could be copied"
		r := w.job("new").Upgrade(t.Context())
		if r.Outcome != upgrade.Installed || w.running() != "new" {
			t.Errorf("ended %s (%v), and %q serves", r.Outcome, r.Err, w.running())
		}
		if got := w.gate[upgrade.Rehearsal]; len(got) > 0 {
			t.Errorf("rehearsed %q", got)
		}
		if want := []string{"not rehearsed: " + w.unrehearsed}; !slices.Equal(r.Notes, want) {
			t.Errorf("notes %q; want %q", r.Notes, want)
		}
	})
}
