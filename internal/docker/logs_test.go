package docker

import (
	"slices"
	"strings"
	"testing"
)

func TestReadLog(t *testing.T) {
	tests := []struct {
		name  string
		in    string
		tty   bool
		lines int
		want  []string
	}{
		{name: "empty", lines: 10},
		{
			name:  "both streams, lines in pieces",
			in:    frame(1, "one\ntw") + frame(2, "err\n") + frame(1, "o\nlast"),
			lines: 10, want: []string{"one", "err", "two", "last"},
		},
		{name: "only the last", in: frame(1, "a\nb\nc\n"), lines: 2, want: []string{"b", "c"}},
		{name: "terminal", in: "\x1b[32mready\x1b[0m\r\nnext\r\n", tty: true, lines: 10, want: []string{"ready", "next"}},
		{name: "long line", in: frame(1, strings.Repeat("x", 100000)+"\nnext\n"), lines: 10, want: []string{strings.Repeat("x", maxLogLine) + "...", "next"}},
	}
	for _, test := range tests {
		got, err := readLog(strings.NewReader(test.in), test.tty, test.lines)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: got %.200q, %v, want %.200q", test.name, got, err, test.want)
		}
	}
}

// A stream that breaks off still shows what came.
func TestReadLogKeepsWhatCame(t *testing.T) {
	got, err := readLog(strings.NewReader(frame(1, "came\n")+"\x01\x00"), false, 10)
	if err == nil || !slices.Equal(got, []string{"came"}) {
		t.Errorf("got %q, %v, want the line and an error", got, err)
	}
}
