package upgrade_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/upgrade"
)

func TestUpgrade(t *testing.T) {
	tests := map[string]struct {
		before  string
		arrange func(*world)
		change  func(*upgrade.Job)

		outcome upgrade.Outcome
		exit    int
		after   string
	}{
		"first install": {
			outcome: upgrade.Installed, after: "new",
		},
		"upgrade": {
			before: "old", outcome: upgrade.Upgraded, after: "new",
		},
		"nothing to do": {
			before: "new", outcome: upgrade.Unchanged, after: "new",
		},
		"nothing to do, and it does not work": {
			before: "new", arrange: func(w *world) { w.bad["new"] = true },
			outcome: upgrade.Failed, exit: 1, after: "new",
		},
		"the rehearsal fails": {
			before: "old", arrange: func(w *world) { w.weak["new"] = true },
			outcome: upgrade.Rejected, exit: 4, after: "old",
		},
		"the rehearsal fails, and the old gateway was broken all along": {
			before: "old", arrange: func(w *world) { w.weak["new"], w.bad["old"] = true, true },
			outcome: upgrade.RollbackFailed, exit: 5, after: "old",
		},
		"the rehearsal cannot be looked at": {
			before: "old", arrange: func(w *world) { w.blind[upgrade.Rehearsal] = true },
			outcome: upgrade.Undecided, exit: 6, after: "old",
		},
		"the rehearsal of a first install fails": {
			arrange: func(w *world) { w.weak["new"] = true },
			outcome: upgrade.Failed, exit: 1,
		},
		"it breaks after promotion": {
			before: "old", arrange: func(w *world) { w.bad["new"] = true },
			outcome: upgrade.RolledBack, exit: 4, after: "old",
		},
		"a first install breaks after promotion": {
			arrange: func(w *world) { w.bad["new"] = true },
			outcome: upgrade.Failed, exit: 1,
		},
		"it breaks after promotion, and so did the old one before": {
			before: "old", arrange: func(w *world) { w.bad["new"], w.bad["old"] = true, true },
			outcome: upgrade.RollbackFailed, exit: 5, after: "old",
		},
		"it breaks after promotion with the way back off": {
			before: "old", arrange: func(w *world) { w.bad["new"] = true },
			change:  func(j *upgrade.Job) { j.Rollback = false },
			outcome: upgrade.RollbackFailed, exit: 5, after: "new",
		},
		"the promoted gateway cannot be looked at": {
			before: "old", arrange: func(w *world) { w.blind[upgrade.Live] = true },
			outcome: upgrade.Undecided, exit: 6, after: "new",
		},
		"the rehearsal fails while the target restarts": {
			before: "old", arrange: func(w *world) {
				w.weak["new"] = true
				w.step = func(_ int, call string) fault {
					if call == "dismiss" { // and is back some seconds later
						w.live.running, w.wakes = false, time.Now().Add(5*time.Second)
					}
					return none
				}
			},
			outcome: upgrade.Rejected, exit: 4, after: "old",
		},
		"somebody else is there first": {
			before: "old", arrange: func(w *world) { w.others = "promote" },
			outcome: upgrade.Failed, exit: 1, after: "old",
		},
		"somebody else is there before the way back": {
			before: "old", arrange: func(w *world) { w.bad["new"], w.others = true, "restore" },
			outcome: upgrade.RollbackFailed, exit: 5, after: "new",
		},
		"without a rehearsal": {
			before: "old", arrange: func(w *world) { w.weak["new"] = true },
			change:  func(j *upgrade.Job) { j.Rehearse = false },
			outcome: upgrade.Upgraded, after: "new",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tt.before)
				if tt.arrange != nil {
					tt.arrange(w)
				}
				job := w.job("new")
				if tt.change != nil {
					tt.change(job)
				}
				began := time.Now()
				r := job.Upgrade(t.Context())
				if took := time.Since(began); took > time.Minute {
					t.Errorf("it took %v", took)
				}
				if r.Outcome != tt.outcome || r.ExitCode() != tt.exit {
					t.Errorf("ended %s, exit %d (%v); want %s, exit %d", r.Outcome, r.ExitCode(), r.Err, tt.outcome, tt.exit)
				}
				if got := w.running(); got != tt.after {
					t.Errorf("%q serves; want %q", got, tt.after)
				}
				if w.held {
					t.Error("the lock is still held")
				}
				if w.candidate != nil {
					t.Error("the rehearsal is still there")
				}
			})
		})
	}
}

// running is the image that serves.
func (w *world) running() string {
	if w.live == nil || !w.live.running {
		return ""
	}
	return w.live.image
}

// TestUpgradeWithFaults breaks every call of the job, and every pair of calls, in
// every way, and looks at what is left: what runs, and whether the result tells the truth.
func TestUpgradeWithFaults(t *testing.T) {
	stories := map[string]func(*world){
		"good":               func(*world) {},
		"bad when live":      func(w *world) { w.bad["new"] = true },
		"bad, and soon good": func(w *world) { w.bad["new"], w.mends = true, true },
		"bad rehearsal":      func(w *world) { w.weak["new"] = true },
	}
	runs := 0
	for story, arrange := range stories {
		for _, before := range []string{"", "old"} {
			plain := newWorld(t, before)
			arrange(plain)
			synctest.Test(t, func(t *testing.T) { plain.upgrade(t.Context(), "new") })
			// A fault may lengthen the job by the way back.
			calls := plain.calls + 6

			for _, f := range []fault{refuse, lie, abandon, kill, killed} {
				for n := 1; n <= calls; n++ {
					for second := n; second <= calls; second++ {
						runs++
						name := fmt.Sprintf("%s, before %q, fault %d at calls %d and %d", story, before, f, n, second)
						synctest.Test(t, func(t *testing.T) { storm(t, name, before, arrange, f, n, second) })
					}
				}
			}
		}
	}
	t.Logf("%d runs", runs)
}

// storm is one run with faults, and a quiet one after it.
func storm(t *testing.T, name, before string, arrange func(*world), f fault, first, second int) {
	w := newWorld(t, before)
	arrange(w)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.disturb(cancel, f, first, second)
	r, died := w.upgrade(ctx, "new")
	if !died {
		truthful(t, w, name, before, r)
	}

	w.step = nil
	if w.mends {
		w.mend = func() { delete(w.bad, "new") }
	}
	r, _ = w.upgrade(t.Context(), "new")
	truthful(t, w, name+", run again", before, r)
	switch {
	case w.candidate != nil, w.aside != nil, w.held:
		t.Errorf("%s: something is left over", name)
	case before != "" && w.running() == "":
		t.Errorf("%s: no gateway serves after the second run", name)
	case !w.bad["new"] && !w.weak["new"] && w.running() != "new":
		t.Errorf("%s: the second run ended %s (%v) with %q", name, r.Outcome, r.Err, w.running())
	}
}

// blemish is a check that a run failed, and calls itself a success all the same.
func blemish(r upgrade.Result) string {
	for _, c := range r.Checks {
		if r.ExitCode() == 0 && c.Verdict == upgrade.Fail {
			return fmt.Sprintf("%s (%s)", c.ID, c.Stage)
		}
	}
	return ""
}

// truthful compares what a result claims with what is.
func truthful(t *testing.T, w *world, name, before string, r upgrade.Result) {
	t.Helper()
	switch r.Outcome {
	case upgrade.Upgraded, upgrade.Installed, upgrade.Unchanged:
		if w.running() != "new" || !w.proven[w.live.id] {
			t.Errorf("%s: %s claimed, but %q serves", name, r.Outcome, w.running())
		}
	case upgrade.Rejected, upgrade.RolledBack:
		if before == "" || w.running() != before {
			t.Errorf("%s: %s claimed, but %q serves", name, r.Outcome, w.running())
		}
	case upgrade.Cancelled, upgrade.Failed:
		if w.running() != before && !(before == "" && w.running() == "new") {
			t.Errorf("%s: %s claimed, but %q serves (%v)", name, r.Outcome, w.running(), r.Err)
		}
	}
	if r.Outcome == "" {
		t.Errorf("%s: no outcome", name)
	}
	if c := blemish(r); c != "" {
		t.Errorf("%s: %s claimed, and %s failed", name, r.Outcome, c)
	}
	if r.ExitCode() != 0 && r.Err == nil {
		t.Errorf("%s: exit %d without a reason", name, r.ExitCode())
	}
	if before != "" && w.running() == "" && r.Outcome != upgrade.RollbackFailed {
		t.Errorf("%s: nothing serves, and the result says %s (%v)", name, r.Outcome, r.Err)
	}
}
