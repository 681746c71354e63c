package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// withText is a run in which every text is s.
func withText(s string) Report {
	r := hostile()
	r.Err, r.Release.URL, r.Notes = errors.New(s), s, []string{s}
	r.Image.Repository, r.Image.Tag, r.Image.Digest = s, s, s
	r.Before, r.After = &upgrade.Instance{ID: s, Image: s, Digests: []string{s}}, &upgrade.Instance{ID: s, Image: s}
	for i := range r.Checks {
		r.Checks[i].ID, r.Checks[i].Detail, r.Checks[i].Remedy, r.Checks[i].Diagnosis = s, s, s, s
	}
	return Report{Result: r, GatewayURL: s, JobURL: s}.clean(secret.NewRedactor(password))
}

func seeds(f *testing.F) {
	for _, s := range []string{"", "200 {}", "]]>", "\x00\x1b[31m\xff\ufffe", "a=b\nc=d", "```\n/close", "| x | `y` \\| z", strings.Repeat("]]>", 4000)} {
		f.Add(s)
	}
}

// JUnit is valid XML whatever a gateway says, and says it where GitLab reads it.
func FuzzJUnit(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		r := withText(s)
		data := renderJUnit(r.Result)
		if !utf8.Valid(data) {
			t.Fatal("not UTF-8")
		}
		var got junitSuites
		if err := xml.Unmarshal(data, &got); err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		if got.Tests != len(r.Result.Checks) || got.Failures != 2 || got.Errors != 1 || got.Skipped != 1 {
			t.Fatalf("counted %+v", got.junitCounts)
		}
		names := map[string]bool{}
		for _, suite := range got.Suites {
			for _, c := range suite.Cases {
				if names[c.Class+c.Name] {
					t.Fatalf("%q comes twice: GitLab shows only the first", c.Name)
				}
				names[c.Class+c.Name] = true
				if c.Failure != nil && !strings.HasPrefix(c.Failure.Text, plain(r.Result.Checks[0].Detail)) {
					t.Fatalf("detail %q became %q", s, c.Failure.Text)
				}
			}
		}
		for d := xml.NewDecoder(strings.NewReader(string(data))); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// dotenvLine is what GitLab's parser and its variables accept.
var dotenvLine = regexp.MustCompile(`^AIGW_[A-Z_]+=[!-~]*$`)

func FuzzDotenv(f *testing.F) {
	seeds(f)
	f.Add("https://aigw.example.com/" + strings.Repeat("a", 6000))
	f.Fuzz(func(t *testing.T, s string) {
		data := string(renderDotenv(withText(s)))
		if len(data) >= 5<<10 {
			t.Fatalf("%d bytes", len(data))
		}
		lines := strings.Split(strings.TrimSuffix(data, "\n"), "\n")
		if len(lines) != 6 {
			t.Fatalf("%d lines", len(lines))
		}
		for _, l := range lines {
			if !dotenvLine.MatchString(l) || strings.ContainsAny(l, "\"'`$\\") {
				t.Fatalf("line %q", l)
			}
		}
	})
}

// No text gets out of its cell, its code or its line.
func FuzzSummary(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		r := withText(s)
		bars := -1
		fence := ""
		for l := range strings.Lines(string(renderSummary(r, nil))) {
			l = strings.TrimSuffix(l, "\n")
			switch {
			case fence != "":
				if l == fence {
					fence = ""
				}
				continue
			case strings.HasPrefix(l, "```"):
				fence = strings.TrimSuffix(l, "text")
				continue
			case strings.HasPrefix(l, "|"):
				n := strings.Count(l, "|")
				if bars >= 0 && n != bars {
					t.Fatalf("%d cells, want %d: %q", n, bars, l)
				}
				bars = n
			case strings.HasPrefix(l, "/"):
				t.Fatalf("a quick action: %q", l)
			default:
				bars = -1
			}
			if strings.Count(l, "`")%2 != 0 {
				t.Fatalf("open code: %q", l)
			}
		}
		if fence != "" {
			t.Fatal("the block of the error never ends")
		}
	})
}

func FuzzJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		r := withText(s)
		for _, data := range [][]byte{renderJSON(r.Result), renderAnnotations(r, "aigw-ci")} {
			if !json.Valid(data) {
				t.Fatalf("not JSON: %s", data)
			}
		}
		if data := renderAnnotations(r, "aigw-ci"); len(data) > 80<<10 {
			t.Fatalf("annotations of %d bytes", len(data))
		}
	})
}

func TestProseWakesNobody(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"@all", "#1", "!2", "~bug", "%3", "$4", "&5", "^alert#6", "<img src=x>", "[x](y)", "![x](y)", "https://a.example.com", "www.a.example.com", "*b*", "_b_", "`b`"} {
		if got := prose(s); strings.Contains(got, s) {
			t.Errorf("%q is acted on in %q", s, got)
		}
	}
}

func TestAnnotationsLinkOnlyToTheWeb(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"javascript:alert(1)", "https://user:password@aigw.example.com", "https://", "aigw", "https://a.example.com/" + strings.Repeat("a", 3000)} {
		if got := string(renderAnnotations(Report{GatewayURL: address}, "aigw-ci")); strings.Count(got, "external_link") != 1 {
			t.Errorf("%s: %s", address, got)
		}
	}
	got := string(renderAnnotations(Report{JobURL: "https://gitlab.example.com/-/jobs/1/"}, "out/my reports#1"))
	if !strings.Contains(got, `"https://gitlab.example.com/-/jobs/1/artifacts/browse/out/my%20reports%231"`) {
		t.Error(got)
	}
	if got := string(renderAnnotations(Report{JobURL: "https://gitlab.example.com/-/jobs/1"}, "/tmp/reports")); strings.Contains(got, "artifacts") {
		t.Errorf("a directory that is no artifact: %s", got)
	}
}
