package secret

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mark ends a text that was cut. A secret that stood across the cut is no longer
// whole, and [Redactor] knows it by this mark: what is before a mark and begins like
// a secret is replaced. So it does not matter whether a text is cut or redacted
// first, as long as nothing but Cut and Line shortens it.
const Mark = "..."

// marks are that of this package, and the other one that libraries and servers use.
var marks = [...]string{Mark, "…"}

// Cut returns s, or where it is longer than most bytes the beginning of it, of at
// most so many, and Mark. No character is cut in two.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for range utf8.UTFMax - 1 { // no character has more bytes after its first
		if most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
	}
	return s[:most] + Mark
}

// Line makes text of unknown origin fit for a terminal and for a line of a log:
// valid UTF-8 without control characters, without escape sequences and without what
// turns the direction of writing, cut as by Cut. Not much more than it shows is
// looked at, however long s is.
func Line(s string, most int) string {
	shortened := len(s) > 4*most
	if shortened {
		s = s[:4*most]
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] == '\x1b' {
			i += escapeLength(s[i:])
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == '\t', r == '\n', unicode.In(r, unicode.Zl, unicode.Zp):
			r = ' '
		case r == utf8.RuneError && size == 1, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > most {
			shortened = true
			break
		}
		b.WriteRune(r)
	}
	text := strings.TrimRight(b.String(), " ")
	if shortened {
		text += Mark
	}
	return text
}

// escapeLength is how many bytes of s, which begins with ESC, belong to a
// terminal's escape sequence. Source: ECMA-48, 5.3 and 5.4 (CSI: parameter bytes
// 0x30-0x3F, intermediate bytes 0x20-0x2F, a final byte 0x40-0x7E).
func escapeLength(s string) int {
	if len(s) < 2 {
		return 1
	}
	if s[1] != '[' {
		return 2
	}
	for i := 2; i < len(s); i++ {
		if c := s[i]; c >= 0x40 && c <= 0x7e {
			return i + 1
		} else if c < 0x20 || c > 0x3f {
			return i
		}
	}
	return len(s)
}
