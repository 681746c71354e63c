package rake

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"

	"aigw-ci/internal/secret"
)

// output is what the task wrote, taken apart.
type output struct {
	exit    int
	errors  []string                   // lines of the error stream: rake's, and noise of every kind
	text    []string                   // lines of the task itself, before the summary
	summary map[string]json.RawMessage // nil: there was none
	broken  bool                       // there was one, and it cannot be read
}

// heading is the line before the summary, as far as it is the same everywhere.
const heading = "DIAGNOSTIC SUMMARY"

// escapes are what colours a terminal. Source: ECMA-48, 5.4.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

// readOutput takes apart what the task wrote.
func readOutput(stdout, stderr []byte, exit int) output {
	said := lines(stdout)
	out := output{exit: exit, errors: lines(stderr), text: said}
	at := summaryAt(said)
	if at < 0 {
		return out
	}
	out.text = said[:at]
	// One value and no more is read: a note follows the summary.
	decoder := json.NewDecoder(strings.NewReader(strings.Join(said[at:], "\n")))
	if decoder.Decode(&out.summary) != nil || out.summary == nil {
		out.summary, out.broken = nil, true
	}
	return out
}

// lines is text without colours and control characters.
func lines(b []byte) []string {
	// Runners bound what they read, too, and need not say that they left something out.
	b = []byte(secret.Cut(string(b), maxOutput-1))
	text := escapes.ReplaceAllString(string(bytes.ToValidUTF8(b, nil)), "")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
	return strings.Split(text, "\n")
}

// summaryAt is the line on which the summary begins; -1 when there is none. No line
// of a summary can look like the heading: a text in JSON holds no line break. What
// is before may, so the last one counts.
func summaryAt(said []string) int {
	at := -1
	for i, line := range said {
		if strings.HasPrefix(strings.TrimLeftFunc(line, ornament), heading) {
			at = i + 1
		}
	}
	if at < 0 {
		return -1
	}
	for at < len(said) && !strings.HasPrefix(strings.TrimSpace(said[at]), "{") {
		at++
	}
	return at
}

// ornament reports whether r is only there to be looked at: spaces, bullets, boxes.
func ornament(r rune) bool {
	drawing := r >= '\u2500' && r <= '\u259f' // Unicode: Box Drawing, Block Elements
	return drawing || unicode.IsSpace(r) || strings.ContainsRune("-=*>|#•·", r)
}
