package version

import (
	"strings"
	"testing"
)

func TestParseGitLab(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want GitLab
		text string // canonical
	}{
		{"18.2.1-ee", GitLab{18, 2, 1, Enterprise, false}, "18.2.1-ee"},
		{"18.9.0-pre", GitLab{18, 9, 0, Unstated, true}, "18.9.0-pre"},
		{"19.4.1-jh", GitLab{19, 4, 1, JiHu, false}, "19.4.1-jh"},
		{"18.2.1", GitLab{18, 2, 1, Unstated, false}, "18.2.1"},
		{"17.9.1-ee.0", GitLab{17, 9, 1, Enterprise, false}, "17.9.1-ee"},
		{"17.9.1+ee.0", GitLab{17, 9, 1, Enterprise, false}, "17.9.1-ee"},
		{"17.9.1-ce", GitLab{17, 9, 1, Community, false}, "17.9.1-ce"},
		{"17.9.1-ce.0", GitLab{17, 9, 1, Community, false}, "17.9.1-ce"},
		{"17.9.1+ce.12", GitLab{17, 9, 1, Community, false}, "17.9.1-ce"},
		{"18.0.0-rc42", GitLab{18, 0, 0, Unstated, true}, "18.0.0-pre"},
		{"v18.0.0-rc42-ee", GitLab{18, 0, 0, Enterprise, true}, "18.0.0-pre-ee"},
		{"v18.10.12-ee", GitLab{18, 10, 12, Enterprise, false}, "18.10.12-ee"},
		{"0.0.0", GitLab{}, "0.0.0"},
		{"1000000.0.1000000", GitLab{1_000_000, 0, 1_000_000, Unstated, false}, "1000000.0.1000000"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := ParseGitLab(tt.in)
			if err != nil || got != tt.want {
				t.Fatalf("ParseGitLab(%q) = %+v, %v; want %+v", tt.in, got, err, tt.want)
			}
			if got.String() != tt.text {
				t.Errorf("String() = %q, want %q", got, tt.text)
			}
			if got.Line() != (Line{got.Major, got.Minor}) {
				t.Errorf("Line() = %v", got.Line())
			}
		})
	}
}

// Each is refused with an error that is short enough for a job log and holds no
// control characters, so that no answer of a server can write into it.
func TestParseGitLabRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty":                 "",
		"words":                 "Forbidden",
		"line":                  "18.2",
		"four numbers":          "18.2.1.0",
		"leading zero":          "18.02.1-ee",
		"negative":              "18.-2.1",
		"plus":                  "+18.2.1",
		"space before":          " 18.2.1-ee",
		"newline after":         "18.2.1-ee\n",
		"upper case":            "18.2.1-EE",
		"capital v":             "V18.2.1",
		"two v":                 "vv18.2.1",
		"unknown suffix":        "18.2.1-fe",
		"iteration of pre":      "18.2.1-pre.0",
		"plus without iter":     "18.2.1+ee",
		"rc without number":     "18.2.1-rc",
		"git describe":          "12.10.0-rc1-93-g40980d40",
		"other digits":          "１８.2.1",
		"overflow":              "18.2.99999999999999999999999",
		"too large":             "18.2.1000001",
		"just too long":         "18.2.1-rc" + strings.Repeat("1", 120),
		"10 kB":                 strings.Repeat("18.2.1-ee", 1200),
		"HTML":                  "<!DOCTYPE html>\n<html class=\"html-devise-layout\"><title>Sign in</title> 18.2.1-ee",
		"terminal escape":       "18.2.1\x1b[2J",
		"tag instead":           "self-hosted-v18.2.1-ee",
		"invalid UTF-8":         "18.2.1-\xff\xfe",
		"version inside a text": "GitLab Enterprise Edition 17.3.0-pre 1e04d6b7fa9",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseGitLab(in)
			if err == nil || got != (GitLab{}) {
				t.Fatalf("ParseGitLab = %+v, %v; want an error", got, err)
			}
			if msg := err.Error(); len(msg) > 280 || strings.ContainsFunc(msg, unprintable) {
				t.Errorf("error %q", msg)
			}
		})
	}
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

func FuzzParseGitLab(f *testing.F) {
	for _, seed := range []string{"18.2.1-ee", "18.9.0-pre", "19.4.1-jh", "v17.9.1+ee.0", "18.0.0-rc42-ee", "<html>", "1.2.3-ce.0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseGitLab(s)
		if err != nil {
			if msg := err.Error(); len(msg) > 280 || strings.ContainsFunc(msg, unprintable) {
				t.Errorf("error %q", msg)
			}
			return
		}
		if again, err := ParseGitLab(v.String()); err != nil || again != v {
			t.Errorf("%q is %+v, but its String %q is %+v, %v", s, v, v, again, err)
		}
	})
}
