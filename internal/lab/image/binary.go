package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// program is the stand-in's main package.
const program = "aigw-ci/internal/lab/gateway/standin"

// BuildBinary compiles the stand-in gateway, statically and for this machine's
// processor, into dir, and returns its path. "" is a directory in the user's cache.
// It needs the go command and the module's source at the working directory or
// above it. Go's build cache makes the second time quick; several at once are fine.
func BuildBinary(ctx context.Context, dir string) (string, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("compiling the stand-in gateway: %w", err)
		}
		dir = filepath.Join(cache, "aigw-lab")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("compiling the stand-in gateway: %w", err)
	}
	work, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", fmt.Errorf("compiling the stand-in gateway: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()

	fresh := filepath.Join(work, "gateway")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", fresh, program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling the stand-in gateway with %q: %w\n%s", build.Args, err, out)
	}
	final := filepath.Join(dir, "gateway")
	return final, os.Rename(fresh, final) // at once: nobody sees half a program
}
