package report

import (
	"encoding/xml"
	"fmt"
	"time"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// What GitLab reads of JUnit, and shows in a merge request and on the pipeline's
// Tests tab: the classname as the suite, the name, the time, and the text inside
// failure, error, skipped and system-out. Of two cases with one name only the first
// counts. Source: docs.gitlab.com/ci/testing/unit_test_reports.
type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []*junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Cases []junitCase `xml:"testcase"`

	took  time.Duration
	names map[string]int // how often each name was used
}

type junitCounts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitResult `xml:"failure"`
	Error   *junitResult `xml:"error"`
	Skipped *junitResult `xml:"skipped"`
	Output  *junitResult `xml:"system-out"`
}

type junitResult struct {
	Message string `xml:"message,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// renderJUnit renders a result that has been cleaned: a case for each check, in a
// suite for each stage. A run that failed without a failed check has a case of its
// own, so that it never looks green.
func renderJUnit(r upgrade.Result) []byte {
	all := &junitSuites{Name: "aigw-ci " + line(r.Command)}
	byStage := map[upgrade.Stage]*junitSuite{}
	seen := false
	for _, c := range r.Checks {
		suite := byStage[c.Stage]
		if suite == nil {
			suite = &junitSuite{Name: line(string(c.Stage)), names: map[string]int{}}
			byStage[c.Stage] = suite
			all.Suites = append(all.Suites, suite)
		}
		suite.add(c)
		seen = seen || c.Verdict == upgrade.Fail || c.Verdict == upgrade.Inconclusive
	}
	if !seen && (r.Err != nil || len(r.Checks) == 0) {
		all.Suites = append(all.Suites, jobSuite(r))
	}
	var took time.Duration
	for _, s := range all.Suites {
		took += s.took
		s.Time = junitTime(s.took)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Skipped += s.Skipped
	}
	all.Time = junitTime(took)
	data, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		panic(err) // only types of this file come here
	}
	return append([]byte(xml.Header), append(data, '\n')...)
}

// jobSuite is the run itself as a test.
func jobSuite(r upgrade.Result) *junitSuite {
	s := &junitSuite{Name: "job", names: map[string]int{}}
	c := upgrade.Check{ID: r.Command, Stage: "job", Verdict: upgrade.Pass}
	if r.Err != nil {
		c.Verdict, c.Detail = upgrade.Inconclusive, fmt.Sprintf("%s: %v", r.Outcome, r.Err)
	}
	for _, p := range r.Phases {
		c.Took += p.Took
	}
	s.add(c)
	return s
}

func (s *junitSuite) add(c upgrade.Check) {
	name := line(c.ID)
	s.names[name]++
	if n := s.names[name]; n > 1 {
		name = fmt.Sprintf("%s (%d)", name, n)
	}
	test := junitCase{Class: s.Name, Name: name, Time: junitTime(c.Took)}
	s.Tests++
	s.took += c.Took
	text := plain(c.Detail)
	if c.Remedy != "" {
		text += "\n\nWhat to do: " + plain(c.Remedy)
	}
	if page := known(c); page != "" {
		text += "\n\nMore: " + page
	}
	result := &junitResult{Message: secret.Cut(line(c.Detail), 200), Text: text}
	switch c.Verdict {
	case upgrade.Fail:
		s.Failures++
		test.Failure = result
	case upgrade.Inconclusive:
		s.Errors++
		test.Error = result
	case upgrade.Skip:
		s.Skipped++
		test.Skipped = result
	case upgrade.Warn:
		test.Output = &junitResult{Text: "Warning: " + text}
	}
	s.Cases = append(s.Cases, test)
}

func junitTime(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
