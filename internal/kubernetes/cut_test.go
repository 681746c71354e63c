package kubernetes

import (
	"errors"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"aigw-ci/internal/secret"
	"aigw-ci/test/canary"
)

// However long what the cluster says is, no half of a secret is left where it was cut.
func TestNoHalfOfASecret(t *testing.T) {
	t.Parallel()
	log := func(text io.Reader) string {
		lines, _ := readLog(text, 1)
		return strings.Join(texts(lines), "\n")
	}
	canary.NeverHalf(t, secret.NewRedactor(canary.Across).String, map[string]func(before string) string{
		"a line of a log": func(before string) string {
			return log(strings.NewReader("2026-01-02T15:04:05Z " + strings.Repeat("x", maxLogLine-100) + before + canary.Across + strings.Repeat("y", 3*maxLogLine) + "\n"))
		},
		"a line of controls": func(before string) string { // of which little is left
			return log(strings.NewReader(strings.Repeat("\x01", 2*maxLogLine-100) + before + canary.Across + "\n"))
		},
		"a log that breaks off": func(before string) string {
			return log(io.MultiReader(strings.NewReader(before+canary.Across[:20]), broken{}))
		},
		"an error": func(before string) string {
			return (&Cluster{}).explain("x", errors.New(strings.Repeat("x", 1900)+before+canary.Across+"y")).Error()
		},
		"an event": func(before string) string {
			return describe(&corev1.Event{Reason: "Failed", Message: strings.Repeat("x", 900) + before + canary.Across})
		},
		"a refused connection": func(before string) string {
			return refusal("127.0.0.1:5052", strings.Repeat("x", 400)+before+canary.Across).Error()
		},
	})
}

// The server ends a log at a number of bytes, and does not say so.
func TestLogAsLongAsTheServerSends(t *testing.T) {
	t.Parallel()
	const begin = "canary-0123456789"
	line := strings.Repeat("x", 1023) + "\n"
	log := strings.Repeat(line, maxLogBytes/len(line)-1) + strings.Repeat("x", len(line)-len(begin)-1) + "\n" + begin
	lines, err := readLog(strings.NewReader(log), 2)
	if err != nil || len(lines) != 2 || secret.NewRedactor(begin+"-abcdefghij").String(lines[1].text) != secret.Redacted+secret.Mark {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

func TestReadLogLines(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                           "",
		"one":                        "one",
		"one\n":                      "one",
		"one\r\n\ntwo":               "one||two",
		"2026-01-02T15:04:05Z one\n": "one",
		strings.Repeat("x", 2*maxLogLine) + "\nnext\n":   strings.Repeat("x", maxLogLine) + "...|next",
		strings.Repeat("x", 2*maxLogLine-1) + "\nnext\n": strings.Repeat("x", maxLogLine) + "...|next",
		strings.Repeat("x", 9*maxLogLine):                strings.Repeat("x", maxLogLine) + "...",
	} {
		lines, err := readLog(strings.NewReader(in), 10)
		if got := strings.Join(texts(lines), "|"); got != want || err != nil {
			t.Errorf("%.50q: %.5000q, %v", in, got, err)
		}
	}
}

// broken is a stream that breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the connection is gone") }
