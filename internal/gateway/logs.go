package gateway

import "strings"

// Severity is how much a line in the gateway's log says about the gateway.
type Severity string

const (
	// SeverityFail is a line that a working gateway does not write.
	SeverityFail Severity = "fail"
	// SeverityWarn is a line that one bad request, or a missing service that the
	// gateway can do without, can cause too.
	SeverityWarn Severity = "warn"
)

// LogText is an error text that is known from gateway logs.
type LogText struct {
	Text        string   `json:"text"` // a part of the line
	Severity    Severity `json:"severity"`
	AboutGitLab bool     `json:"about_gitlab"` // it is about the way from the gateway to GitLab
}

// Finding is a known error that stands in a log.
type Finding struct {
	LogText
	Diagnosis
	Line  string // the first line that has it, as it was written: it may hold secrets
	Count int    // lines that have it
}

// Diagnose finds the known errors in a gateway's log, each text once, in the order
// in which they first appear. A line that has several counts for each.
func Diagnose(lines []string) []Finding {
	var found []Finding
	at := make(map[string]int) // by text, in found
	for _, line := range lines {
		for _, chapter := range catalogue {
			for _, d := range chapter.Entries {
				for _, l := range d.Log {
					if !strings.Contains(line, l.Text) {
						continue
					}
					i, seen := at[l.Text]
					if !seen {
						i = len(found)
						at[l.Text] = i
						found = append(found, Finding{LogText: l, Diagnosis: d, Line: line})
					}
					found[i].Count++
				}
			}
		}
	}
	return found
}
