package rake

import (
	"fmt"
	"slices"
	"strings"

	"aigw-ci/internal/upgrade"
)

// Before there was a summary, the text was all: lines that begin or end with a mark.
// Which mark it is depends on the release, and on the terminal.
const (
	passMarks = "✅✓✔☑🟢"
	failMarks = "❌✗✘✖✕☒❎⛔🔴"
	warnMarks = "⚠🟡❗"
)

// marked is the verdict on a text without a summary. It is a pass only when
// something passed and nothing else is marked: the earliest forms of the task say
// nothing that could be relied on otherwise.
func (o Options) marked(out output) upgrade.Check {
	seen := markedLines(out.text)
	failed, warned, passed := seen[upgrade.Fail], seen[upgrade.Warn], seen[upgrade.Pass]
	switch {
	case len(failed) > 0:
		return fail("GitLab's check ended without an error, and yet says: "+o.quoteAll(failed), "do what it says, or run it by hand for the whole text: "+byHand)
	case len(passed) == 0:
		return unseen("GitLab's check ended without an error, and said nothing that this program knows", "run the check by hand and read what it says: "+byHand)
	case len(warned) > 0:
		return upgrade.Check{Verdict: upgrade.Warn, Detail: "GitLab's check passes, and says: " + o.quoteAll(warned), Remedy: "run it by hand for the whole text: " + byHand}
	}
	return upgrade.Check{Verdict: upgrade.Pass, Detail: fmt.Sprintf("GitLab's check passes: %d parts, and none failed", len(passed))}
}

// markedLines are the lines that carry a mark, by what it means.
func markedLines(text []string) map[upgrade.Verdict][]string {
	seen := make(map[upgrade.Verdict][]string)
	for _, line := range text {
		if mark := markOf(line); mark != "" {
			seen[mark] = append(seen[mark], line)
		}
	}
	return seen
}

// markOf is what the mark of a line means; empty when it has none. A line with
// several is as bad as its worst.
func markOf(line string) upgrade.Verdict {
	line = strings.ReplaceAll(strings.TrimFunc(line, ornament), "\ufe0f", "") // "show the character as a picture"
	switch {
	case line == "":
		return ""
	case carries(line, failMarks, "FAIL", "FAILED", "ERROR"):
		return upgrade.Fail
	case carries(line, warnMarks, "WARN", "WARNING"):
		return upgrade.Warn
	case carries(line, passMarks, "PASS", "PASSED", "OK"):
		return upgrade.Pass
	}
	return ""
}

// carries reports whether a line begins or ends with one of the marks or words.
// Words are in capitals and stand apart from the sentence: "[PASS]", "ERROR: ...",
// "licence: PASS", but not "HTTP/1.1 200 OK".
func carries(line, marks string, words ...string) bool {
	fields := strings.Fields(line)
	first, last := fields[0], fields[len(fields)-1]
	if strings.ContainsAny(first, marks) || strings.ContainsAny(last, marks) {
		return true
	}
	candidates := []string{first}
	if len(fields) > 1 && (strings.HasPrefix(last, "[") || strings.HasSuffix(fields[len(fields)-2], ":")) {
		candidates = append(candidates, last)
	}
	return slices.ContainsFunc(candidates, func(s string) bool { return slices.Contains(words, strings.Trim(s, "[]():.!")) })
}
