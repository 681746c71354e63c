//go:build docker

package pipeline

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/lab/image"
)

// shared is what all tests of a run have in common. It is set once, before the first.
var shared struct {
	engine  *engine
	bridge  string // this machine, as containers know it
	local   string // gitlab-ci-local's program, for node
	backend string // git-http-backend
	dir     string // with what was built, aigw-ci in bin among it
	gateway string // the stand-in's program, for images
}

func TestMain(m *testing.M) {
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		_ = flag.Set("test.parallel", "4") // these tests wait far more than they compute
	}
	code := 1
	err := prepare(context.Background())
	if err == nil {
		code = m.Run()
	}
	if shared.dir != "" {
		err = errors.Join(err, os.RemoveAll(shared.dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/pipeline:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// prepare looks for what the tests need and builds what they run.
func prepare(ctx context.Context) (err error) {
	for program, remedy := range map[string]string{
		"git":   "on Debian: scripts/install-debian git",
		"bash":  "on Debian: scripts/install-debian bash",
		"rsync": "on Debian: scripts/install-debian rsync",
		"node":  "install Node.js 20 or later, from nodejs.org or your system's packages",
		"npm":   "it comes with Node.js",
	} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w\n%s", err, remedy)
		}
	}
	if shared.backend, err = gitBackend(ctx); err != nil {
		return err
	}
	if err := findEngine(ctx); err != nil {
		return err
	}
	if shared.local, err = installLocal(ctx); err != nil {
		return err
	}
	if shared.dir, err = os.MkdirTemp("", "aigw-ci-pipeline-"); err != nil {
		return err
	}
	program := filepath.Join(shared.dir, "bin", "aigw-ci")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "aigw-ci/cmd/aigw-ci")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building aigw-ci: %w\n%s", err, said)
	}
	shared.gateway, err = image.BuildBinary(ctx, shared.dir)
	return err
}

// findEngine takes the engine in DOCKER_HOST, when it is fit for these tests.
func findEngine(ctx context.Context) (err error) {
	host := cmp.Or(os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock")
	if shared.engine, err = newEngine(host); err != nil {
		return err
	}
	if err := shared.engine.call(ctx, "GET", "/_ping", nil); err != nil {
		return fmt.Errorf("no Docker Engine answers at %s: %w\nrun `make docker`, which starts one, or on Debian: scripts/install-debian docker.io iptables", host, err)
	}
	gateways, err := shared.engine.gateways(ctx)
	if err != nil {
		return err
	}
	if len(gateways) > 0 {
		return fmt.Errorf("the engine at %s already has what looks like a gateway, and aigw-ci would take it over: %s\nrun these tests on an engine without one", host, strings.Join(gateways, ", "))
	}
	shared.bridge, err = shared.engine.bridge(ctx)
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
