package config

import (
	"strings"
	"testing"
)

func TestCatalogue(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, s := range Catalogue() {
		if s.Summary == "" || s.Example == "" || (s.Default == "") == (s.Otherwise == "") {
			t.Errorf("%s is not described: %+v", s.Name, s)
		}
		if seen[s.Name] {
			t.Errorf("%s is there twice", s.Name)
		}
		seen[s.Name] = true
		if want := prefix + strings.ToUpper(strings.ReplaceAll(s.Name, ".", "_")); s.Variable != want {
			t.Errorf("%s: variable %s, want %s", s.Name, s.Variable, want)
		}
		if want := strings.NewReplacer(".", "-", "_", "-").Replace(s.Name); s.Flag != want && !s.Secret {
			t.Errorf("%s: flag %s, want %s", s.Name, s.Flag, want)
		}
		if s.Secret && s.Flag != "" {
			t.Errorf("%s is a secret and has a flag", s.Name)
		}
		if s.Default != "" && !strings.HasPrefix(s.Default, "$") {
			for item := range strings.SplitSeq(s.Default, "\n") {
				if _, err := checkValue(s, item); err != nil {
					t.Errorf("%s: its default is refused: %v", s.Name, err)
				}
			}
		}
		if s.Type != Map && !strings.HasSuffix(s.Example, "...") {
			if _, err := checkValue(s, s.Example); err != nil {
				t.Errorf("%s: its example is refused: %v", s.Name, err)
			}
		}
	}
	for name := range checks {
		if !seen[name] {
			t.Errorf("there is a check for %s, which is no setting", name)
		}
	}
	Catalogue()[0].Name = "changed"
	if Catalogue()[0].Name == "changed" {
		t.Error("a caller can change the catalogue")
	}
}

func TestReferenceListsEverySetting(t *testing.T) {
	t.Parallel()
	table := Reference()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != len(Catalogue())+2 {
		t.Errorf("%d lines for %d settings", len(lines), len(Catalogue()))
	}
	for i, line := range lines {
		if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 6 {
			t.Errorf("line %d has %d bars: %s", i+1, n, line)
		}
	}
	for _, want := range []string{
		"| `gitlab.url` | `AIGW_CI_GITLAB_URL` | `--gitlab-url` | `$CI_SERVER_URL` |",
		"| `gitlab.token` | `AIGW_CI_GITLAB_TOKEN` | none: secret | no token |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %s in\n%s", want, table)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	candidates := []string{"gitlab.url", "gitlab.token", "docker.container"}
	for s, want := range map[string]string{
		"gitlab.url": "gitlab.url", "gitlab.ulr": "gitlab.url", "gitlab.tokne": "gitlab.token", "docker-container": "docker.container",
		"": "", "x": "", "kubernetes": "", strings.Repeat("a", 1<<20): "",
	} {
		if got := nearest(s, candidates); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", s, got, want)
		}
	}
}
