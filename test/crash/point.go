package crash

import (
	"fmt"
	"slices"
)

// Deed is one thing that a program does to its server, by a name that is the same
// from run to run: "POST rename next".
type Deed struct {
	Name string

	// Clock is set for what is done again and again while something else goes on, such
	// as a lock's signs of life: only the first time is a step.
	Clock bool
}

// Point is one moment of a run: before or after the server carries out a deed for the
// nth time.
type Point struct {
	Deed  string
	Nth   int  // from 1
	After bool // the server has done it, and the program has not heard of it
}

// String is "before POST rename next (2)".
func (p Point) String() string {
	when := "before"
	if p.After {
		when = "after"
	}
	if p.Nth == 1 {
		return when + " " + p.Deed
	}
	return fmt.Sprintf("%s %s (%d)", when, p.Deed, p.Nth)
}

// Points are the two moments of every deed, in the order of the deeds.
func Points(deeds []Point) []Point {
	points := make([]Point, 0, 2*len(deeds))
	for _, p := range deeds {
		for _, after := range []bool{false, true} {
			p.After = after
			points = append(points, p)
		}
	}
	return points
}

// Sample is every nth point, beginning at from, and all those that always wants.
func Sample(points []Point, nth, from int, always func(Point) bool) []Point {
	var chosen []Point
	for i, p := range points {
		if (i+from)%nth == 0 || always(p) {
			chosen = append(chosen, p)
		}
	}
	return slices.Clip(chosen)
}
