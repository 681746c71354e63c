package kubernetes

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are a terminal's escape sequences. Source: ECMA-48, 5.3 and 5.4.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]?|[^\\[]|$)")

// clean makes text of unknown origin fit for a terminal and a log: one line, valid
// UTF-8, no control characters and no escape sequences, at most limit bytes and the
// three dots that say that more was there.
func clean(s string, limit int) string {
	if len(s) > 4*limit {
		s = s[:4*limit]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, escapes.ReplaceAllString(strings.ToValidUTF8(s, ""), ""))
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit] + "..."
	}
	return strings.TrimRight(s, " ")
}
