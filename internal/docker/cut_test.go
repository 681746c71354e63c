package docker

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"aigw-ci/internal/secret"
	"aigw-ci/test/canary"
)

// However long what the engine says is, no half of a secret is left where it was cut.
func TestNoHalfOfASecret(t *testing.T) {
	t.Parallel()
	canary.NeverHalf(t, secret.NewRedactor(canary.Across).String, map[string]func(before string) string{
		"a line of a log": func(before string) string {
			lines, _ := readLog(strings.NewReader(frame(1, strings.Repeat("x", maxLogLine-100)+before+canary.Across+strings.Repeat("y", 2*maxLogLine)+"\n")), false, 1)
			return strings.Join(lines, "\n")
		},
		"a line of controls": func(before string) string { // of which little is left
			lines, _ := readLog(strings.NewReader(frame(1, strings.Repeat("\x01", 2*maxLogLine-100)+before+canary.Across+"\n")), false, 1)
			return strings.Join(lines, "\n")
		},
		"a log that ends too soon": func(before string) string {
			lines, _ := readLog(io.MultiReader(strings.NewReader(before+canary.Across[:20]), &broken{}), true, 1)
			return strings.Join(lines, "\n")
		},
		"an error": func(before string) string {
			return (&Engine{}).explain("x", errors.New(strings.Repeat("x", 1900)+before+canary.Across+"y")).Error()
		},
		"the end of a stream": func(before string) string {
			return demux(io.Discard, io.Discard, strings.NewReader(frame(3, strings.Repeat("\x01", 1900)+before+canary.Across+strings.Repeat("y", 1000)))).Error()
		},
		"a setting": func(before string) string {
			return shown("Config.WorkingDir", strings.Repeat("x", 200)+before+canary.Across)
		},
	})
}

// A log as long as is read at most has been cut, although nobody says so.
func TestLogAsLongAsIsRead(t *testing.T) {
	t.Parallel()
	const begin = "canary-0123456789"
	r := secret.NewRedactor(begin + "-abcdefghij")
	line := strings.Repeat("x", 1023) + "\n"
	log := strings.Repeat(line, maxLogBytes/len(line)-1) + strings.Repeat("x", len(line)-len(begin)-1) + "\n" + begin
	lines, err := readLog(strings.NewReader(log+"-abcdefghij\n"), true, 2)
	if err != nil || len(lines) != 2 || slices.Contains(lines, begin) || r.String(lines[1]) != secret.Redacted+secret.Mark {
		t.Errorf("%.2000q, %v", lines, err)
	}
}

// broken is a stream that breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the connection is gone") }
