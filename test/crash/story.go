package crash

import (
	"slices"
	"testing"
	"time"

	"aigw-ci/test/program"
)

// Story is one way of a run, from a state of the server to another.
type Story struct {
	Title    string
	Begin    func(*testing.T) Night // makes the world as it is before the run
	Exit     int                    // of a run that nothing disturbs, and of one after it was disturbed
	Outcomes []string               // of a run after one that was disturbed
}

// Night is a story being told in a world of its own.
type Night interface {
	// Start starts the story's command, straight to the server where no setting,
	// "NAME=value", says otherwise.
	Start(more ...string) *program.Job

	// Middle stands between a run and the server, when the run has the setting.
	Middle() (m *Middle, setting string)

	// Answers reports whether the gateway's users are served, within a time.
	Answers(within time.Duration) bool

	// Right fails the test when not everything is as it must be at the end of the
	// story, or the report says something else.
	Right(program.Result)
}

// steps are the points of a run that nobody disturbs.
func (s Story) steps(t *testing.T) []Point {
	t.Helper()
	n := s.Begin(t)
	m, setting := n.Middle()
	r := n.Start(setting).Wait()
	if r.Exit != s.Exit {
		t.Fatalf("exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
	}
	n.Right(r)
	return Points(m.Deeds())
}

// try disturbs a run at one point. The next run has to make everything good.
func (s Story) try(t *testing.T, table *Table, row string, at Point, strike Strike) {
	t.Helper()
	end, met := Lost, true
	defer func() {
		if t.Failed() {
			end = Lost
		}
		t.Logf("%v (point met: %v)", end, met)
		table.Add(row, met, end)
	}()
	n := s.Begin(t)
	met = disturbed(n, at, strike)
	end = Restored
	if n.Answers(2 * time.Second) {
		end = Served
	}
	Again(t, n, s.Exit, s.Outcomes)
}

// disturbed runs the program with a man in the middle, who strikes when the point
// comes. It reports whether it came.
func disturbed(n Night, at Point, strike Strike) bool {
	m, setting := n.Middle()
	m.Arm(at, strike)
	j := n.Start(setting)
	m.Meet(Victim{Process: j.Process, Ended: j.Ended})
	j.End()
	return m.Met()
}

// Again runs the program once more, straight to the server. It has to end with this
// exit code and one of these outcomes, and everything must be right then.
func Again(t testing.TB, n Night, exit int, outcomes []string) {
	t.Helper()
	r := n.Start().Wait()
	if r.Exit != exit || !slices.Contains(outcomes, r.Outcome) {
		t.Errorf("the next run ended with exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
	}
	n.Right(r)
}
