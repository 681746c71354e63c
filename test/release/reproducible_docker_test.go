//go:build docker

package release

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"aigw-ci/internal/jobimage"
)

// Two people compile the same sources: in other directories, with caches that know
// nothing of each other, and with settings that would show in the program. It needs
// no engine, but more time than a test of every minute may take. The image's packing
// has its own test, and needs no compiler: internal/jobimage.
func TestSameProgramElsewhere(t *testing.T) {
	here := jobimage.Platform{OS: "linux", Architecture: runtime.GOARCH}
	sources, err := jobimage.ReadSources(root)
	if err != nil {
		t.Fatal(err)
	}
	one, err := sources.Compile(t.Context(), "./cmd/aigw-sh", here)
	if err != nil {
		t.Fatal(err)
	}

	elsewhere := t.TempDir()
	for _, dir := range []string{"cmd/aigw-sh", "internal/shell", "internal/coreutil"} {
		if err := os.CopyFS(filepath.Join(elsewhere, dir), os.DirFS(filepath.Join(root, dir))); err != nil {
			t.Fatal(err)
		}
	}
	var errs []error
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		errs = append(errs, err, os.WriteFile(filepath.Join(elsewhere, name), text, 0o600))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-tags=netgo -buildvcs=auto")
	t.Setenv("GOAMD64", "v3")
	t.Setenv("GOARM64", "v9.0")
	t.Setenv("CGO_ENABLED", "1")
	sources.Root = elsewhere
	other, err := sources.Compile(t.Context(), "./cmd/aigw-sh", here)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, other) {
		t.Error("the same sources gave two different programs")
	}
}
