package version

import (
	"slices"
	"testing"
)

func TestLineOrder(t *testing.T) {
	t.Parallel()
	lines := []Line{{18, 10}, {17, 11}, {18, 9}, {18, 2}, {9, 99}}
	slices.SortFunc(lines, Line.Compare)
	want := []Line{{9, 99}, {17, 11}, {18, 2}, {18, 9}, {18, 10}}
	if !slices.Equal(lines, want) {
		t.Errorf("sorted %v, want %v", lines, want)
	}
	if s := (Line{18, 10}).String(); s != "18.10" {
		t.Errorf("String() = %q", s)
	}
}
