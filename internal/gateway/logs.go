package gateway

import (
	_ "embed"
	"slices"
	"strings"
)

// Severity is how much a line in the gateway's log says about the gateway.
type Severity string

const (
	// SeverityFail is a line that a working gateway does not write.
	SeverityFail Severity = "fail"
	// SeverityWarn is a line that one bad request, or a missing service that the
	// gateway can do without, can cause too.
	SeverityWarn Severity = "warn"
)

// LogError is an error text that is known from gateway logs.
type LogError struct {
	Text        string   `json:"text"` // a part of the line
	Meaning     string   `json:"meaning"`
	Remedy      string   `json:"remedy"`
	AboutGitLab bool     `json:"about_gitlab"` // it is about the way from the gateway to GitLab
	Severity    Severity `json:"severity"`
	Source      string   `json:"source"`
}

// Finding is a known error that stands in a log.
type Finding struct {
	LogError
	Line  string // the first line that has it, as it was written: it may hold secrets
	Count int    // lines that have it
}

// KnownLogErrors are all error texts that Diagnose knows.
func KnownLogErrors() []LogError { return slices.Clone(logErrors) }

// Diagnose finds the known errors in a gateway's log, each once, in the order in
// which they first appear. A line that has several counts for each.
func Diagnose(lines []string) []Finding {
	var found []Finding
	at := make(map[string]int) // by text, in found
	for _, line := range lines {
		for _, known := range logErrors {
			if !strings.Contains(line, known.Text) {
				continue
			}
			i, seen := at[known.Text]
			if !seen {
				i = len(found)
				at[known.Text] = i
				found = append(found, Finding{LogError: known, Line: line})
			}
			found[i].Count++
		}
	}
	return found
}

//go:embed log-errors.json
var logErrorsJSON []byte

// logErrors is log-errors.json; never changed.
var logErrors = decode[[]LogError]("log-errors.json", logErrorsJSON)
