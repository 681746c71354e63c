package crash

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// End is how a disturbed run ended.
type End int

const (
	// Lost is an end that must not be: the next run did not make everything good.
	Lost End = iota
	// Served is the gateway's users noticing nothing between the crash and the next run.
	Served
	// Restored is the next run being what brought the gateway back, or made it.
	Restored
)

// String is what a log says of a point.
func (e End) String() string {
	return [...]string{"LOST", "survived: the gateway served", "restored by the next run"}[e]
}

// Table counts ends, by what was done and where. The zero table is empty.
type Table struct {
	mu    sync.Mutex
	paths []string // in the order in which they came
	rows  map[string]*row
}

type row struct {
	points, unmet int
	ends          [3]int
}

// Points says how many points a path has.
func (t *Table) Points(path string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.row(path).points = n
}

// Add counts one end. A point that was not met is a run that was not disturbed.
func (t *Table) Add(path string, met bool, e End) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.row(path)
	if !met && e != Lost {
		r.unmet++
		return
	}
	r.ends[e]++
}

func (t *Table) row(path string) *row {
	if t.rows == nil {
		t.rows = make(map[string]*row)
	}
	if t.rows[path] == nil {
		t.rows[path] = new(row)
		t.paths = append(t.paths, path)
	}
	return t.rows[path]
}

// Heads are the columns of Lines.
var Heads = fmt.Sprintf(format, "target: path", "points", "tried", "survived", "restored", "lost", "unmet")

const format = "%-44s %8v %8v %9v %9v %6v %6v\n"

// Lines are the rows. Survived is how often the gateway served between the crash and
// the next run, restored how often the next run brought it (back); unmet points did
// not come that time, because another run had done the deed.
func (t *Table) Lines(target string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines strings.Builder
	for _, path := range t.paths {
		r := t.rows[path]
		tried := r.ends[Served] + r.ends[Restored] + r.ends[Lost]
		fmt.Fprintf(&lines, format, target+": "+path, r.points, tried, r.ends[Served], r.ends[Restored], r.ends[Lost], r.unmet)
	}
	return lines.String()
}

// Save appends rows to a file; without a name it does nothing.
func Save(file, lines string) error {
	if file == "" || lines == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, lines)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
