package program

import (
	"path/filepath"
	"strings"
	"testing"
)

// Result is how a run ended: report.json, the log and the exit code.
type Result struct {
	Outcome string
	Error   string
	Image   struct{ Tag, Digest string }
	Before  *Instance
	After   *Instance
	Changes []Change
	Checks  []Check
	Outage  *float64 `json:"outage_seconds"`

	Exit int    `json:"-"`
	Log  string `json:"-"`
	Dir  string `json:"-"` // of the reports
}

// Instance is a gateway that ran: its ID is a container's, or the revision of a
// release on a cluster.
type Instance struct{ ID, Image, Digest string }

// Change is a setting of the gateway that the run changes.
type Change struct{ Field, From, To string }

// Check is a check of a stage: the last one, when it was made several times.
func (r Result) Check(id, stage string) Check {
	var found Check
	for _, c := range r.Checks {
		if c.ID == id && c.Stage == stage {
			found = c
		}
	}
	return found
}

// Change is that of a field.
func (r Result) Change(field string) Change {
	var found Change
	for _, c := range r.Changes {
		if c.Field == field {
			found = c
		}
	}
	return found
}

// Says fails the test when neither the log nor the report's error has a text.
func (r Result) Says(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.Log, text) && !strings.Contains(r.Error, text) {
			t.Errorf("it does not say %q", text)
		}
	}
}

// Explains fails the test when not both the log and the report's error have the reason,
// and what the target says about it.
func (r Result) Explains(t testing.TB, reason, detail string) {
	t.Helper()
	for _, text := range []string{reason, detail} {
		if !strings.Contains(r.Error, text) || !strings.Contains(r.Log, text) {
			t.Errorf("the report or the log does not say %q: %s", text, r.Error)
		}
	}
}

// Evidence fails the test when nothing was kept of a gateway that is gone.
func (r Result) Evidence(t testing.TB, stage string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.Dir, "evidence", stage, "*"))
	if err != nil || len(files) == 0 {
		t.Errorf("no evidence of the %s: %v", stage, err)
	}
}
