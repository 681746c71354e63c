package docker

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	tests := []struct {
		in    string
		limit int
		want  string
	}{
		{"plain", 80, "plain"},
		{"two\nlines\tand a tab\r\n", 80, "two lines and a tab"},
		{"\x1b[31;1mred\x1b[0m and \x1b]0;title\x07done", 80, "red and 0;titledone"},
		{"bell\x07 null\x00 delete\x7f c1\u0085", 80, "bell null delete c1"},
		{"\u202Etxet desrever", 80, "txet desrever"},
		{"broken \xff\xfe utf-8 \xe2\x82", 80, "broken  utf-8"},
		{"äöü", 4, "äö..."},
		{"\x1b", 80, ""},
		{"\x1b[31", 80, ""},
	}
	for _, test := range tests {
		if got := clean(test.in, test.limit); got != test.want {
			t.Errorf("clean(%q, %d) = %q, want %q", test.in, test.limit, got, test.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m")
	f.Add("\xff\u202E\x9b31m")
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s, 100)
		if len(got) > 103 || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("clean(%q) = %q", s, got)
		}
	})
}
