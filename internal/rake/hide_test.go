package rake

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
	"aigw-ci/test/canary"
)

// Whatever the task says, and wherever a secret stands in it: nothing of one that is
// known is in what is made of it, on every way to GitLab's node.
func TestNothingOfASecretIsShown(t *testing.T) {
	t.Parallel()
	var hidden canary.Canaries
	value := hidden.Value("the output of the task")
	redactor := secret.NewRedactor(value)
	files, err := filepath.Glob("testdata/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	texts := []string{"", "rake aborted!\n", heading + "\n{\"checks\": [{\"name\": \"x\", \"status\": \"failed\", \"message\": \"" + strings.Repeat("m", 150) + "\"}]}\n"}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	shown := 0
	look := func(way Way, stdout, stderr string, exit int, failed error) {
		check := Check(Options{
			Mode: Required, Way: way, SwitchFlagOn: true, Redactor: redactor, Log: slog.New(slog.DiscardHandler),
			Runner: RunnerFunc(func(context.Context, []string) ([]byte, []byte, int, error) {
				return []byte(stdout), []byte(stderr), exit, failed
			}),
		})
		c := check(t.Context(), upgrade.Subject{Stage: upgrade.Live, Release: upgrade.Release{Version: version.GitLab{Major: 18, Minor: 4}}})
		said := c.Detail + "\n" + c.Remedy
		if err := errors.Join(hidden.Seen("the check", said), hidden.Seen("the check as it is reported", redactor.String(said))); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(said, secret.Redacted) {
			shown++
		}
	}
	for offsets, way := range map[int]string{12: "local", 1: "docker:gitlab", 2: "kubernetes:gitlab", 3: "ssh:git@gitlab.example.com"} {
		way, err := Parse(way)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			for i := range offsets {
				spoken := strings.Repeat("é", i) + " " + value
				lines := strings.ReplaceAll(text, "\n", " ERROR: "+strings.Repeat("x", 150+i)+value+"\n")
				for _, exit := range []int{0, 1, 127} {
					look(way, lines, lines, exit, nil)
					look(way, text, spoken+"\n"+strings.Repeat(spoken, 20), exit, nil)
				}
				look(way, "", "", 0, errors.New(strings.Repeat("x", 2*maxQuote-i)+value+"\n"+strings.Repeat("y", 5*maxQuote-i)+value))
			}
		}
	}
	if shown == 0 {
		t.Error("the secret was in nothing that is shown")
	}
}
