package gateway

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/version"
)

func TestCrossing(t *testing.T) {
	t.Parallel()
	key, err := GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := key.Reveal()
	const (
		duoSign, duoValidate = "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY", "DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY"
		sign, validate       = "AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY"
		auth                 = "DUO_WORKFLOW_AUTH__ENABLED"
	)
	urls := map[string]string{"AIGW_GITLAB_URL": "https://gitlab.example.com", "AIGW_GITLAB_API_URL": "https://gitlab.example.com/api/v4/"}
	for _, tt := range []struct {
		name     string
		from, to string
		has      map[string]string // besides urls
		bare     bool              // without urls
		want     []string          // "NAME fills", "NAME bad" or "NAME told"
	}{
		{name: "within a line", from: "18.9", to: "18.9", has: map[string]string{duoSign: good, duoValidate: good, sign: good, validate: good}},
		{name: "nothing new", from: "17.4", to: "18.1"},
		{name: "to the first key", from: "18.1", to: "18.2", want: []string{duoSign + " fills"}},
		{name: "to the four keys", from: "18.8", to: "18.9", has: map[string]string{duoSign: good},
			want: []string{duoValidate + " fills", sign + " fills", validate + " fills", auth + " fills"}},
		{name: "over everything", from: "17.11", to: "19.0", want: []string{duoSign + " fills", duoValidate + " fills", sign + " fills", validate + " fills", auth + " fills"}},
		{name: "keys that were never there", from: "18.9", to: "18.10", want: []string{duoSign + " fills", duoValidate + " fills", sign + " fills", validate + " fills"}},
		{name: "an empty key is none that is known here", from: "18.1", to: "18.2", has: map[string]string{duoSign: ""}},
		{name: "a bad key", from: "18.8", to: "18.9", has: map[string]string{duoSign: good, duoValidate: good, sign: "hunter2", validate: good, auth: "false"}, want: []string{sign + " bad"}},
		{name: "a bad key that is not needed yet", from: "18.7", to: "18.8", has: map[string]string{duoSign: good, sign: "hunter2"}},
		{name: "a choice is kept", from: "18.8", to: "18.9", has: map[string]string{duoSign: good, duoValidate: good, sign: good, validate: good, auth: "false"}},
		{name: "no address of GitLab", from: "18.0", to: "18.1", bare: true, want: []string{"AIGW_GITLAB_URL told", "AIGW_GITLAB_API_URL told"}},
		{name: "from nothing", to: "18.1", bare: true, want: []string{"AIGW_GITLAB_URL fills", "AIGW_GITLAB_API_URL fills"}},
		{name: "back", from: "18.9", to: "18.1", has: map[string]string{sign: "hunter2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lookup := func(name string) (string, bool) {
				if value, set := tt.has[name]; set {
					return value, true
				}
				value, set := urls[name]
				return value, set && !tt.bare
			}
			var got []string
			for _, g := range Crossing(parseLine(t, tt.from), parseLine(t, tt.to), lookup) {
				kind := "told"
				switch {
				case g.Bad != nil:
					kind = "bad"
				case g.Fills():
					kind = "fills"
				}
				got = append(got, g.Name+" "+kind)
				if text := g.String(); strings.Contains(text, "hunter2") || (kind == "fills") != strings.Contains(text, "will be added") {
					t.Errorf("%s is told as %q", g.Name, text)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parseLine(t *testing.T, s string) version.Line {
	t.Helper()
	var l version.Line
	if s == "" {
		return l
	}
	if _, err := fmt.Sscanf(s, "%d.%d", &l.Major, &l.Minor); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestGapValue(t *testing.T) {
	t.Parallel()
	none := func(string) (string, bool) { return "", false }
	got := map[string]string{}
	for _, g := range Crossing(version.Line{}, version.Line{Major: 18, Minor: 9}, none) {
		if !g.Key {
			got[g.Name] = g.Value("https://gitlab.example.com/")
		}
	}
	want := map[string]string{
		"AIGW_GITLAB_URL": "https://gitlab.example.com", "AIGW_GITLAB_API_URL": "https://gitlab.example.com/api/v4/",
		"DUO_WORKFLOW_AUTH__ENABLED": "true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStaleCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		words []string
		line  string
		want  string
	}{
		{nil, "18.3", ""},
		{[]string{"./run.sh"}, "18.2", ""},
		{[]string{"./run.sh"}, "18.3", "./run.sh"},
		{[]string{"/home/aigateway/app/run.sh"}, "19.0", "/home/aigateway/app/run.sh"},
		{[]string{"sh", "-c", "exec ./run.sh"}, "18.3", "./run.sh"},
		{[]string{"./scripts/run.sh"}, "18.3", ""},
		{[]string{"./scripts/run.sh"}, "18.2", "./scripts/run.sh"},
		{[]string{"/opt/mine/run.sh"}, "18.3", ""},
		{[]string{"poetry", "run", "ai_gateway"}, "18.3", ""},
	} {
		if got := StaleCommand(tt.words, parseLine(t, tt.line)); got != tt.want {
			t.Errorf("%q on %s: %q, want %q", tt.words, tt.line, got, tt.want)
		}
	}
}
