package docker

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes text of unknown origin fit for a terminal and a log: one line,
// valid UTF-8, no control characters and no escape sequences, at most limit bytes.
func clean(s string, limit int) string {
	if len(s) > 4*limit {
		s = s[:4*limit]
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
		case r == '\t' || r == '\n':
			r = ' '
		case r == utf8.RuneError && size == 1, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			b.WriteString("...")
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " ")
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
