package upgrade_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"aigw-ci/internal/upgrade"
)

// upgraded is a world in which the new gateway took the old one's place, and works
// well enough to be proven.
func upgraded(t *testing.T) *world {
	w := newWorld(t, "old")
	if r, _ := w.upgrade(t.Context(), "new"); r.Outcome != upgrade.Upgraded {
		t.Fatalf("ended %s (%v)", r.Outcome, r.Err)
	}
	w.calls = 0
	return w
}

func TestRollBack(t *testing.T) {
	tests := map[string]struct {
		arrange func(ctx context.Context, w *world)

		outcome upgrade.Outcome
		exit    int
		after   string
		says    string // a part of the notes or of the error
	}{
		"to the one before": {
			outcome: upgrade.RolledBack, after: "old",
		},
		"once more": {
			arrange: func(ctx context.Context, w *world) { w.rollBack(ctx) },
			outcome: upgrade.RolledBack, after: "old", says: "already came here, from new",
		},
		"once more, and it does not work any more": {
			arrange: func(ctx context.Context, w *world) { w.rollBack(ctx); w.bad["old"] = true },
			outcome: upgrade.Failed, exit: 1, after: "old",
		},
		"to one that fails its rehearsal": {
			arrange: func(ctx context.Context, w *world) { w.weak["old"] = true },
			outcome: upgrade.Rejected, exit: 4, after: "new",
		},
		"to one that breaks": {
			arrange: func(ctx context.Context, w *world) { w.bad["old"] = true },
			outcome: upgrade.RolledBack, exit: 4, after: "new",
		},
		"after a rollback that was killed with the old one in place": {
			arrange: func(ctx context.Context, w *world) { w.die("keep", func() { w.rollBack(ctx) }) },
			outcome: upgrade.RolledBack, after: "old",
		},
		"after a rollback that was killed between the two": {
			arrange: func(ctx context.Context, w *world) { w.die("promote: create", func() { w.rollBack(ctx) }) },
			outcome: upgrade.RolledBack, after: "old",
		},
		"after an upgrade that was killed with the new one in place": {
			arrange: func(ctx context.Context, w *world) { w.gitlab.Minor++; w.die("keep", func() { w.upgrade(ctx, "new") }) },
			outcome: upgrade.RolledBack, after: "new",
		},
		"after an upgrade that was killed between the two": {
			arrange: func(ctx context.Context, w *world) {
				w.gitlab.Minor++
				w.die("promote: create", func() { w.upgrade(ctx, "new") })
			},
			outcome: upgrade.RolledBack, after: "new",
		},
		"of what was never upgraded": {
			arrange: func(ctx context.Context, w *world) { w.live.past = upgrade.Past{} },
			outcome: upgrade.Failed, exit: 1, after: "new", says: "no record of a previous gateway",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := upgraded(t)
				if tt.arrange != nil {
					tt.arrange(t.Context(), w)
				}
				r, _ := w.rollBack(t.Context())
				if r.Outcome != tt.outcome || r.ExitCode() != tt.exit {
					t.Errorf("ended %s, exit %d (%v); want %s, exit %d", r.Outcome, r.ExitCode(), r.Err, tt.outcome, tt.exit)
				}
				if got := w.running(); got != tt.after {
					t.Errorf("%q serves; want %q", got, tt.after)
				}
				if said := fmt.Sprint(r.Notes, r.Err); !strings.Contains(said, tt.says) {
					t.Errorf("it says %s; want %q", said, tt.says)
				}
				if w.held || w.candidate != nil || w.aside != nil {
					t.Error("something is left over")
				}
			})
		})
	}
}

// die lets a command's process die before its first call of this name.
func (w *world) die(call string, command func()) {
	w.step = func(_ int, name string) fault {
		if name == call {
			return kill
		}
		return none
	}
	command()
	w.step = nil
}

// TestRollBackWithFaults does with the way back what TestUpgradeWithFaults does with
// the upgrade: whatever happened, the same command once more ends where it was asked
// to go, and never goes on from there.
func TestRollBackWithFaults(t *testing.T) {
	stories := map[string]func(*world){
		"good":          func(*world) {},
		"bad when live": func(w *world) { w.bad["old"] = true },
		"bad rehearsal": func(w *world) { w.weak["old"] = true },
	}
	runs := 0
	for story, arrange := range stories {
		var calls int
		synctest.Test(t, func(t *testing.T) {
			w := upgraded(t)
			arrange(w)
			w.rollBack(t.Context())
			calls = w.calls + 6
		})
		for _, f := range []fault{refuse, lie, abandon, kill, killed} {
			for n := 1; n <= calls; n++ {
				for second := n; second <= calls; second++ {
					runs++
					name := fmt.Sprintf("%s, fault %d at calls %d and %d", story, f, n, second)
					synctest.Test(t, func(t *testing.T) { stormBack(t, name, arrange, f, n, second) })
				}
			}
		}
	}
	t.Logf("%d runs", runs)
}

func stormBack(t *testing.T, name string, arrange func(*world), f fault, first, second int) {
	w := upgraded(t)
	arrange(w)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.disturb(cancel, f, first, second)
	if r, died := w.rollBack(ctx); !died {
		truthfulBack(t, w, name, r)
	}
	w.step = nil
	r, _ := w.rollBack(t.Context())
	truthfulBack(t, w, name+", run again", r)
	wanted := "old"
	if w.bad["old"] || w.weak["old"] {
		wanted = "new"
	}
	if w.candidate != nil || w.aside != nil || w.held || w.running() != wanted {
		t.Errorf("%s: the second run ended %s (%v) with %q", name, r.Outcome, r.Err, w.running())
	}
}

// truthfulBack compares what the result of a rollback claims with what is.
func truthfulBack(t *testing.T, w *world, name string, r upgrade.Result) {
	t.Helper()
	switch {
	case r.ExitCode() == 0:
		if w.running() != "old" || !w.proven[w.live.id] {
			t.Errorf("%s: %s claimed, but %q serves", name, r.Outcome, w.running())
		}
	case r.Outcome == upgrade.Rejected, r.Outcome == upgrade.RolledBack, r.Outcome == upgrade.Cancelled:
		if w.running() == "" {
			t.Errorf("%s: %s claimed, but nothing serves", name, r.Outcome)
		}
	}
	if w.running() == "" && r.Outcome != upgrade.RollbackFailed {
		t.Errorf("%s: nothing serves, and the result says %s (%v)", name, r.Outcome, r.Err)
	}
	if c := blemish(r); c != "" {
		t.Errorf("%s: %s claimed, and %s failed", name, r.Outcome, c)
	}
	if r.ExitCode() != 0 && r.Err == nil {
		t.Errorf("%s: exit %d without a reason", name, r.ExitCode())
	}
}
