package upgrade_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"aigw-ci/internal/upgrade"
)

// lockless is a world that can be tried without authentication, and its gate.
type lockless struct {
	*world
	finds  upgrade.Verdict
	during func() // while the trial runs
}

func (l lockless) Trial(ctx context.Context, _ upgrade.Observation) (upgrade.Gateway, error) {
	if !l.held {
		l.t.Error("a trial without the lock")
	}
	err := l.do(ctx, "trial", func() { l.candidate = l.create(l.live.image) })
	return view{l.world, l.candidate}, err
}

func (l lockless) Unlocked(ctx context.Context, trial upgrade.Gateway) upgrade.Check {
	c := upgrade.Check{ID: "gateway.trial", Stage: upgrade.Rehearsal, Verdict: l.finds}
	if trial.(view).instance != l.candidate {
		l.t.Error("another gateway is asked")
	}
	if l.during != nil {
		l.during()
	}
	if ctx.Err() != nil {
		c.Verdict = upgrade.Inconclusive
	}
	return c
}

func (l lockless) verify(ctx context.Context) upgrade.Result {
	job := l.job("new")
	job.Target, job.Gate = l, l
	return job.VerifyWithTrial(ctx)
}

func TestTrial(t *testing.T) {
	t.Parallel()
	const none = upgrade.Verdict("")
	for name, tt := range map[string]struct {
		arrange func(*world)
		fault   map[string]fault
		finds   upgrade.Verdict

		outcome upgrade.Outcome
		trial   upgrade.Verdict // none: it was not made
		says    string
	}{
		"both are well": {
			finds: upgrade.Pass, outcome: upgrade.Verified, trial: upgrade.Pass,
		},
		"what is wrong is authentication": {
			arrange: func(w *world) { w.bad["new"] = true },
			finds:   upgrade.Pass, outcome: upgrade.Failed, trial: upgrade.Pass, says: "see the failed checks",
		},
		"the gateway could not be looked at": {
			arrange: func(w *world) { w.blind[upgrade.Live] = true },
			finds:   upgrade.Pass, outcome: upgrade.Undecided, trial: upgrade.Pass,
		},
		"the trial fails": {
			finds: upgrade.Fail, outcome: upgrade.Failed, trial: upgrade.Fail, says: "see the failed checks",
		},
		"nothing is learnt": {
			finds: upgrade.Inconclusive, outcome: upgrade.Undecided, trial: upgrade.Inconclusive,
		},
		"it cannot be started": {
			fault: map[string]fault{"trial": refuse}, outcome: upgrade.Undecided, says: "the trial: injected",
		},
		"it cannot be started, and the gateway does not work": {
			arrange: func(w *world) { w.bad["new"] = true },
			fault:   map[string]fault{"trial": refuse}, outcome: upgrade.Failed, says: "the trial: injected",
		},
		"it was started, and that was not told": {
			fault: map[string]fault{"trial": lie}, outcome: upgrade.Undecided, says: "the trial: injected",
		},
		"there is no gateway": {
			arrange: func(w *world) { w.live = nil },
			outcome: upgrade.Failed, says: "no gateway runs",
		},
		"GitLab is silent": {
			arrange: func(w *world) { w.silent = func() error { return errInjected } },
			outcome: upgrade.Undecided, says: "injected",
		},
		"an earlier run did not end": {
			arrange: func(w *world) { w.aside = w.create("old") },
			outcome: upgrade.Undecided, says: "aigw-ci upgrade",
		},
		"an earlier trial was left": {
			arrange: func(w *world) { w.candidate = w.create("new") },
			finds:   upgrade.Pass, outcome: upgrade.Verified, trial: upgrade.Pass,
		},
		"another run is at work": {
			fault: map[string]fault{"lock": refuse}, outcome: upgrade.Undecided, says: "injected",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "new")
			if tt.arrange != nil {
				tt.arrange(w)
			}
			w.step = func(_ int, call string) fault { return tt.fault[call] }
			r := lockless{world: w, finds: tt.finds}.verify(t.Context())
			if r.Command != "verify" || r.Outcome != tt.outcome || (r.Err == nil) != (tt.outcome == upgrade.Verified) {
				t.Errorf("%s %s: %v", r.Command, r.Outcome, r.Err)
			}
			if r.Err != nil && !strings.Contains(r.Err.Error(), tt.says) {
				t.Errorf("it says %q, and not %q", r.Err, tt.says)
			}
			found := none
			for _, c := range r.Checks {
				if c.ID == "gateway.trial" {
					found = c.Verdict
				}
			}
			if found != tt.trial {
				t.Errorf("the trial found %q, want %q", found, tt.trial)
			}
			if w.held || tt.trial != none && w.candidate != nil || tt.fault["trial"] != 0 && w.candidate != nil {
				t.Errorf("left: lock %v, trial %+v", w.held, w.candidate)
			}
		})
	}
}

// Whatever ends the run, the trial ends before it.
func TestTrialEndsWithTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "new")
	ctx, cancel := context.WithCancelCause(t.Context())
	errStop := errors.New("somebody pressed a key")
	r := lockless{world: w, finds: upgrade.Pass, during: func() { cancel(errStop) }}.verify(ctx)
	if r.Outcome != upgrade.Undecided || !errors.Is(r.Err, errStop) || w.candidate != nil || w.held {
		t.Errorf("%s: %v; left: %+v, lock %v", r.Outcome, r.Err, w.candidate, w.held)
	}
}

// A trial that stays is told as loudly as can be, whatever else was found.
func TestTrialThatCannotBeRemoved(t *testing.T) {
	t.Parallel()
	for _, broken := range []bool{false, true} {
		w := newWorld(t, "new")
		w.bad["new"] = broken
		w.step = func(_ int, call string) fault {
			if call == "dismiss" {
				return refuse
			}
			return none
		}
		r := lockless{world: w, finds: upgrade.Pass}.verify(t.Context())
		if r.Outcome != upgrade.Failed || r.Err == nil || !strings.Contains(r.Err.Error(), "WITHOUT AUTHENTICATION IS LEFT; `aigw-ci upgrade` removes it") {
			t.Errorf("%s: %v", r.Outcome, r.Err)
		}
		w.step = nil
		if r, _ := w.upgrade(t.Context(), "new"); w.candidate != nil || r.ExitCode() != map[bool]int{false: 0, true: 1}[broken] {
			t.Errorf("after an upgrade it is still there, or that ended with %s: %v", r.Outcome, r.Err)
		}
	}
}

// A run that lost its target changes nothing there any more.
func TestTrialWithoutTheLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "new")
	lost := make(chan struct{})
	l := stolen{lockless{world: w, finds: upgrade.Pass, during: func() { close(lost) }}, lost}
	job := w.job("new")
	job.Target, job.Gate = l, l
	r := job.VerifyWithTrial(t.Context())
	if r.Outcome != upgrade.Locked || r.ExitCode() != 7 || w.candidate == nil {
		t.Errorf("%s: %v", r.Outcome, r.Err)
	}
}

// stolen is a world whose lock is lost when the channel is closed.
type stolen struct {
	lockless
	lost chan struct{}
}

func (s stolen) Lock(ctx context.Context) (<-chan struct{}, func(context.Context) error, error) {
	_, release, err := s.lockless.Lock(ctx)
	return s.lost, release, err
}

func (s stolen) Unlocked(ctx context.Context, trial upgrade.Gateway) upgrade.Check {
	c := s.lockless.Unlocked(ctx, trial)
	<-ctx.Done() // the loss has come through
	return c
}

func TestTrialWhereThereIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "new")
	r := w.job("new").VerifyWithTrial(t.Context())
	if r.Outcome != upgrade.Misused || r.ExitCode() != 2 || r.Err == nil || w.calls != 0 {
		t.Errorf("%s, %d calls: %v", r.Outcome, w.calls, r.Err)
	}
}
