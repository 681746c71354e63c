package kubernetes

import (
	"io"
	"strings"
	"testing"
	"unicode"
)

// FuzzReadLog wants lines that are short and only shown of whatever a log has.
func FuzzReadLog(f *testing.F) {
	f.Add("2026-01-02T15:04:05.123456789Z one\n2026-01-02T15:04:05Z \x1b[31mtwo\r\nthree", false)
	f.Add(strings.Repeat("x", 3*maxLogLine)+"\n\xff\u202e", true)
	f.Add("0001-01-01T00:00:00Z \n\n\n", true)
	f.Fuzz(func(t *testing.T, log string, breaks bool) {
		stream := io.Reader(strings.NewReader(log))
		if breaks {
			stream = io.MultiReader(stream, broken{})
		}
		lines, err := readLog(stream, 5)
		if (err != nil) != breaks || len(lines) > 5 {
			t.Errorf("%d lines, %v", len(lines), err)
		}
		for _, line := range texts(lines) {
			if len(line) > maxLogLine+3 || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
				t.Errorf("%q", line)
			}
		}
	})
}
