package crash

import (
	"slices"
	"sync"
	"testing"
)

// Matrix is all that is tried against one kind of server.
type Matrix struct {
	Target  string // in the table: "Docker"
	Stories []Story

	// Of each story every Nth point is tried, beginning Shift later than of the story
	// before, and all those that are Decisive. A soak tries them all.
	Nth, Shift int
	Decisive   func(Point) bool
}

// Try kills the program at the points of all stories, before the server gets a request
// and after it has done it. The same command once more makes everything good. A soak
// goes on with random faults. It ends with the table of how the runs ended.
func (m Matrix) Try(t *testing.T) {
	soak, err := ReadSoak()
	if err != nil {
		t.Fatal(err)
	}
	table := new(Table)
	t.Cleanup(func() {
		lines := table.Lines(m.Target)
		t.Logf("killed at every step:\n%s%s", Heads, lines)
		if err := Save(soak.Table, lines); err != nil {
			t.Error(err)
		}
	})
	all := make(map[string][]Point)
	var mu sync.Mutex // all
	t.Run("points", func(t *testing.T) {
		for i, s := range m.Stories {
			t.Run(s.Title, func(t *testing.T) {
				t.Parallel()
				points := s.steps(t)
				table.Points(s.Title, len(points))
				mu.Lock()
				all[s.Title] = points
				mu.Unlock()
				if !soak.Every() {
					points = Sample(points, m.Nth, m.Shift*i, m.Decisive)
				}
				for _, at := range points {
					t.Run(at.String(), func(t *testing.T) {
						t.Parallel()
						s.try(t, table, s.Title, at, Kill)
					})
				}
			})
		}
	})
	if soak.For > 0 {
		t.Run("random", func(t *testing.T) {
			soak.Random(t, all, func(t *testing.T, title string, at Point, strike Strike) {
				s := m.Stories[slices.IndexFunc(m.Stories, func(s Story) bool { return s.Title == title })]
				s.try(t, table, "random faults", at, strike)
			})
		})
	}
}
