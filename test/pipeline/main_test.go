//go:build docker

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
	"aigw-ci/test/suite"
)

// shared is what all tests of a run have in common. It is set once, before the first.
var shared struct {
	engine  *dockerd.Engine
	bridge  string // this machine, as containers know it
	local   string // gitlab-ci-local's program, for node
	backend string // git-http-backend
	dir     string // with what was built, aigw-ci in bin among it
	gateway string // the stand-in's program, for images
}

func TestMain(m *testing.M) {
	os.Exit(suite.Suite{Name: "test/pipeline", Parallel: 4, Prepare: prepare}.Run(m))
}

// prepare looks for what the tests need and builds what they run.
func prepare(ctx context.Context, dir string) (err error) {
	for name, remedy := range map[string]string{
		"git":   "on Debian: scripts/install-debian git",
		"bash":  "on Debian: scripts/install-debian bash",
		"rsync": "on Debian: scripts/install-debian rsync",
		"node":  "install Node.js 20 or later, from nodejs.org or your system's packages",
		"npm":   "it comes with Node.js",
	} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w\n%s", err, remedy)
		}
	}
	if shared.backend, err = gitBackend(ctx); err != nil {
		return err
	}
	if shared.engine, shared.bridge, err = suite.Engine(ctx, os.Getenv("DOCKER_HOST")); err != nil {
		return err
	}
	if shared.local, err = installLocal(ctx); err != nil {
		return err
	}
	shared.dir = dir
	if err := program.Build(ctx, filepath.Join(dir, "bin", "aigw-ci"), program.AigwCI); err != nil {
		return err
	}
	shared.gateway, err = image.BuildBinary(ctx, dir)
	return err
}

// installLocal installs gitlab-ci-local below build/, once for each package-lock.json,
// and returns the file to run with node.
func installLocal(ctx context.Context) (string, error) {
	want, err := os.ReadFile("package-lock.json")
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs("../../build/gitlab-ci-local")
	if err != nil {
		return "", err
	}
	program, mark := filepath.Join(dir, "node_modules", "gitlab-ci-local", "dist", "index.js"), filepath.Join(dir, "installed")
	if have, err := os.ReadFile(mark); err == nil && string(have) == string(want) {
		return program, nil
	}
	manifest, err := os.ReadFile("package.json")
	if err != nil {
		return "", err
	}
	err = errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "package.json"), manifest, 0o644),
		os.WriteFile(filepath.Join(dir, "package-lock.json"), want, 0o644),
	)
	if err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	c.Dir = dir
	if said, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci, for gitlab-ci-local: %w\n%s\nit needs the npm registry, or a mirror that npm is configured for", err, said)
	}
	if said, err := exec.CommandContext(ctx, "node", program, "--version").CombinedOutput(); err != nil {
		return "", fmt.Errorf("gitlab-ci-local does not run here: %w\n%s\nit needs Node.js 20 or later", err, said)
	}
	return program, os.WriteFile(mark, want, 0o644)
}
