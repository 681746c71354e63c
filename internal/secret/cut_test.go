package secret_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"aigw-ci/internal/secret"
)

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		most int
		want string
	}{
		{"", 0, ""},
		{"whole", 5, "whole"},
		{"longer", 5, "longe..."},
		{"äöü", 5, "äö..."},
		{"äöü", 4, "äö..."},
		{"€", 1, "..."},
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80..."}, // no character is that long
	} {
		if got := secret.Cut(tt.in, tt.most); got != tt.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.in, tt.most, got, tt.want)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		most int
		want string
	}{
		{"plain", 80, "plain"},
		{"two\nlines\tand a tab\r\n", 80, "two lines and a tab"},
		{"\x1b[31;1mred\x1b[0m and \x1b]0;title\x07done", 80, "red and 0;titledone"},
		{"bell\x07 null\x00 delete\x7f c1\u0085", 80, "bell null delete c1"},
		{"\u202Etxet desrever\u2028next", 80, "txet desrever next"},
		{"broken \xff\xfe utf-8 \xe2\x82", 80, "broken  utf-8"},
		{"äöü", 4, "äö..."},
		{"\x1b", 80, ""},
		{"\x1b[31", 80, ""},
		{"seen" + strings.Repeat("\x00", 100) + "unseen", 10, "seen..."}, // cut, although little was shown
	} {
		if got := secret.Line(tt.in, tt.most); got != tt.want {
			t.Errorf("Line(%q, %d) = %q, want %q", tt.in, tt.most, got, tt.want)
		}
	}
}

// However a text is cut, and however it is written, no half of a secret is left.
func TestNothingOfASecretStandsAtACut(t *testing.T) {
	t.Parallel()
	const value = "glpat-0123456789/abcdefghij+\"x\"&klmnopqrst\tuvw"
	r := secret.NewRedactor(value, key)
	for name, text := range map[string]string{
		"plain":           "the token " + value + " is wrong",
		"base64":          "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+value+"!")),
		"a line of a key": "reading MIIEcanaryLineOne+/abc",
		"quoted":          `{"token": "glpat-0123456789/abcdefghij+\"x\"&klmnopqrst\tuvw"}`,
		"in an address":   "https://me:glpat-0123456789%2Fabcdefghij+%22x%22&klmnopqrst%09uvw@h",
		"control":         "\x1b[1mglpat-0123456789/abc\x00defghij+\"x\"&klmnopqrst\tuvw", // whole only once it is cleaned
	} {
		for most := range len(text) {
			for how, cut := range map[string]string{
				"Cut": secret.Cut(secret.Line(text, 1000), most), "Line": secret.Line(text, most),
				"Line of a beginning": secret.Line(text[:most]+secret.Mark, 1000), "in a longer text": secret.Line(text, most) + " (try again)",
				"with the other mark": secret.Line(text[:most]+"…", 1000),
			} {
				got := r.String(cut)
				for _, part := range []string{"glpat-", "canary", base64.StdEncoding.EncodeToString([]byte("me:glpat-0123"))[4:14]} {
					if strings.Contains(got, part) {
						t.Fatalf("%s, cut to %d with %s: %s", name, most, how, got)
					}
				}
			}
		}
	}
}

// A mark that has nothing to do with a secret stays what it is.
func TestMarksStay(t *testing.T) {
	t.Parallel()
	r := secret.NewRedactor("glpat-0123456789", "with...dots...in-it")
	for in, want := range map[string]string{
		"waiting ...":                 "waiting ...",
		"it begins with glpat-... so": "it begins with [redacted]... so",
		"glpa...":                     "glpa...",
		"glpat-0 glpat-01":            "glpat-0 glpat-01",
		"with...dots...i...":          "[redacted]...",
		"with...dots...":              "[redacted]...",
	} {
		if got := r.String(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m", 100)
	f.Add("\xff\u202E\x9b31m", 3)
	f.Add("\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", 10)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = min(max(most, 0), 1000)
		got := secret.Line(s, most)
		if len(got) > most+len(secret.Mark) || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
		}) {
			t.Errorf("Line(%q, %d) = %q", s, most, got)
		}
	})
}

// FuzzCutSecret cuts a text anywhere and wants no more of a secret in it than a word
// has.
func FuzzCutSecret(f *testing.F) {
	f.Add("prefix ", canary, 20)
	f.Add("", key, 50)
	f.Add("aaaa", "aaaaaaaaab", 9)
	f.Add("..", "....secret....", 12)
	f.Fuzz(func(t *testing.T, before, value string, most int) {
		text := before + value
		if len(value) < 6 || most <= len(before) || most >= len(text) || strings.ContainsAny(value, "[]") {
			return
		}
		got := secret.NewRedactor(value).String(secret.Cut(text, most))
		kept := strings.TrimSuffix(secret.Cut(text, most)[len(before):], secret.Mark)
		if len(kept) >= 6 && strings.HasSuffix(got, kept+secret.Mark) && !strings.HasSuffix(before, value[:min(6, len(value))]) {
			t.Errorf("%q cut to %d: %q", text, most, got)
		}
	})
}
