package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEveryCommandExplainsItself wants a page of every command: what it is for, and
// an example that can be typed as it stands.
func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	pages := 0
	for _, c := range newRoot(system{}).Commands() {
		if c.Hidden {
			continue
		}
		pages++
		var out bytes.Buffer
		sys := system{stdin: strings.NewReader(""), stdout: &out, stderr: &out}
		if code := run(t.Context(), []string{c.Name(), "--help"}, sys); code != 0 {
			t.Errorf("%s --help ended with %d", c.Name(), code)
		}
		if !strings.Contains(out.String(), "\nExamples:\n  aigw-ci "+c.Name()) {
			t.Errorf("%s --help has no example:\n%s", c.Name(), &out)
		}
		for line := range strings.Lines(c.Example) {
			checkExample(t, strings.TrimSpace(line))
		}
	}
	if pages < 6 {
		t.Errorf("%d commands", pages)
	}
}

// checkExample wants a command line of an example to be one that is understood.
func checkExample(t *testing.T, line string) {
	_, typed, _ := strings.Cut(line, "aigw-ci ")
	typed, _, _ = strings.Cut(typed, "   ") // and what it is for
	args := strings.Fields(strings.Trim(typed, `")`))
	page, rest, err := newRoot(system{}).Find(args)
	if err == nil && page.RunE != nil {
		page.RunE = func(*cobra.Command, []string) error { return nil }
		err = page.ParseFlags(rest)
	}
	if err != nil || !page.Runnable() {
		t.Errorf("%q is no command line: %v", line, err)
	}
}
