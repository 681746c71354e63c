package jobimage

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// LinkerFlags are those of every published binary; .goreleaser.yaml and the
// Makefile have the same.
func LinkerFlags(version string) string { return "-s -w -X main.release=" + version }

// Compile compiles one main package of the sources, statically, and returns the
// program. What the builder's machine and settings are does not show in it.
func (s Sources) Compile(ctx context.Context, pkg string, p Platform) ([]byte, error) {
	dir, err := os.MkdirTemp("", "aigw-image-")
	if err != nil {
		return nil, fmt.Errorf("compiling %s for %s: %w", pkg, p, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	environ, err := s.environ(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("compiling %s for %s: %w", pkg, p, err)
	}
	out := filepath.Join(dir, "program")
	build := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-ldflags="+LinkerFlags(s.Version), "-o", out, pkg)
	build.Dir, build.Env = s.Root, environ
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compiling %s for %s: %w\n%s", pkg, p, err, said)
	}
	return os.ReadFile(out)
}

// goPlaces are the settings of the go command that say where things are. All
// others could change what it makes, and are left behind.
var goPlaces = []string{
	"GOAUTH", "GOCACHE", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOVCS",
}

// environ is the environment of the compiler: where things are from the builder,
// all else fixed.
func (s Sources) environ(ctx context.Context, p Platform) ([]string, error) {
	ask := exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, goPlaces...)...)
	ask.Dir = s.Root
	answer, err := ask.Output()
	if err != nil {
		return nil, fmt.Errorf("asking the go command for its settings: %w", err)
	}
	var places map[string]string
	if err := json.Unmarshal(answer, &places); err != nil {
		return nil, fmt.Errorf("reading the go command's settings: %w", err)
	}
	environ := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "GO") || strings.HasPrefix(variable, "CGO")
	})
	for name, value := range places {
		environ = append(environ, name+"="+value)
	}
	return append(environ,
		"GOENV=off", "GOWORK=off", "GOTOOLCHAIN="+s.Toolchain, "CGO_ENABLED=0",
		"GOOS="+p.OS, "GOARCH="+p.Architecture, "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off"), nil
}
