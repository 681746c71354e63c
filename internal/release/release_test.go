package release

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	old   = Image{"0.1.0", "sha256:" + strings.Repeat("0", 64)}
	fresh = Image{"1.2.3", "sha256:" + strings.Repeat("ab", 32)}
)

func template(image Image) string {
	return "spec:\n  inputs:\n    image:\n      default: registry.example.com:5000/tools/aigw-ci:" + image.String() +
		"\n---\njob:\n  image: other@" + old.Digest + "\n"
}

// project is a directory with these templates.
func project(t *testing.T, templates map[string]string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range templates {
		if err := os.WriteFile(filepath.Join(root, "templates", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestPins(t *testing.T) {
	t.Parallel()
	root := project(t, map[string]string{
		"plan.yml": template(old), "upgrade.yml": template(fresh), "full.yml": "include: [{local: /templates/plan.yml}]\n",
	})
	err := CheckPins(root, fresh)
	if !errors.Is(err, ErrStale) || !strings.Contains(err.Error(), "plan.yml") || strings.Contains(err.Error(), "upgrade.yml") {
		t.Errorf("the stale template is not named: %v", err)
	}
	changed, err := WritePins(root, fresh)
	if diff := cmp.Diff([]string{filepath.Join(root, "templates", "plan.yml")}, changed); err != nil || diff != "" {
		t.Errorf("changed: %v (-want +got)\n%s", err, diff)
	}
	if err := CheckPins(root, fresh); err != nil {
		t.Errorf("after pinning: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(root, "templates", "plan.yml"))
	if diff := cmp.Diff(template(fresh), string(text)); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestPinsNotFound(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no digest":    "      default: registry.example.com/aigw-ci:1.2.3\n",
		"no tag":       "      default: registry.example.com/aigw-ci@" + old.Digest + "\n",
		"another name": "      default: registry.example.com/gateway:" + old.String() + "\n",
		"no registry":  "      default: aigw-ci:" + old.String() + "\n",
		"twice":        template(old) + template(old),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := project(t, map[string]string{"plan.yml": text})
			if err := CheckPins(root, old); err == nil || errors.Is(err, ErrStale) {
				t.Errorf("checking: %v", err)
			}
			if _, err := WritePins(root, fresh); err == nil {
				t.Error("something was pinned")
			}
		})
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	const changelog = "# Changelog\n\n## 1.2.4\n\nNext.\n\n## 1.2.3 (2026-11-22)\n\n### Added\n\n- a thing\n\n## 1.2.2\n\nLast.\n"
	got, err := Notes(changelog, fresh, "registry.example.com/tools/aigw-ci")
	want := "### Added\n\n- a thing\n\nJob image, for linux/amd64 and linux/arm64:\n\n    registry.example.com/tools/aigw-ci:1.2.3@" + fresh.Digest +
		"\n\nIt can be rebuilt from the sources of this tag: `make image` prints the same digest.\n"
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for _, missing := range []string{"", "## 1.2.3\n\n## 1.2.2\nx\n", "## 1.2.30\nx\n"} {
		if got, err := Notes(missing, fresh, "r"); err == nil {
			t.Errorf("%q gives notes: %q", missing, got)
		}
	}
}
