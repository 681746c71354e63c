package gateway

import (
	_ "embed"
	"slices"
)

// DiagnosisID names an entry of the catalogue of what goes wrong. It is also the
// entry's anchor in docs/troubleshooting.md.
type DiagnosisID string

// Diagnosis is one thing that is known to go wrong, from what is seen to what
// helps. The texts are single lines without a full stop, so that they can be a part
// of a longer one.
type Diagnosis struct {
	ID    DiagnosisID `json:"id"`
	Seen  string      `json:"seen"` // the symptom, as it is met
	Cause string      `json:"cause"`
	Cure  string      `json:"cure"`
	Link  string      `json:"link"` // a page for the reader; empty when there is none

	// Shown are the checks and phases that show it: "gateway.healthz", "plan".
	// Empty for what no pipeline can see; then Unseen says why.
	Shown  []string `json:"shown"`
	Unseen string   `json:"unseen"`

	Log    []LogText `json:"log"` // how it shows in the gateway's log
	Source string    `json:"source"`
}

// Chapter is a part of the catalogue.
type Chapter struct {
	Title   string      `json:"title"`
	Entries []Diagnosis `json:"entries"`
}

// Catalogue is everything that is known to go wrong.
func Catalogue() []Chapter { return slices.Clone(catalogue) }

// Known is the entry of an ID; the zero Diagnosis when there is none, which a test
// excludes for the constants of this package.
func Known(id DiagnosisID) Diagnosis { return known[id] }

// Cure is what to do about it.
func (id DiagnosisID) Cure() string { return known[id].Cure }

//go:embed diagnosis.json
var diagnosisJSON []byte

// catalogue is diagnosis.json; never changed.
var catalogue = decode[[]Chapter]("diagnosis.json", diagnosisJSON)

// known is the catalogue by ID; never changed.
var known = func() map[DiagnosisID]Diagnosis {
	entries := make(map[DiagnosisID]Diagnosis)
	for _, c := range catalogue {
		for _, d := range c.Entries {
			entries[d.ID] = d
		}
	}
	return entries
}()
