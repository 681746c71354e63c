package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/config"
)

var update = flag.Bool("update", false, "write into README.md what is generated from the code")

// TestReadmeListsTheSettings holds the README to the code: between its two marks
// stands the table of all settings, and nothing else.
func TestReadmeListsTheSettings(t *testing.T) {
	const begin, end = "<!-- settings -->\n", "<!-- /settings -->"
	path := filepath.Join("..", "..", "README.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, opened := strings.Cut(string(data), begin)
	table, tail, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatalf("README.md has no place for the settings: %q and %q", begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(head+begin+config.Reference()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(config.Reference(), table); diff != "" {
		t.Errorf("README.md is behind the code; `go test ./cmd/aigw-ci -run Readme -update` writes it (-code +README):\n%s", diff)
	}
}
