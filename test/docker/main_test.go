//go:build docker

package docker

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
	"time"

	"aigw-ci/internal/lab/image"
)

// shared is what all tests of a run have in common. It is set once, before the first.
var shared struct {
	engine  *engine
	bridge  string // this machine, as containers know it
	program string // aigw-ci
	gateway string // the stand-in's program, for images
	peer    string // see testdata/peer
}

func TestMain(m *testing.M) {
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		_ = flag.Set("test.parallel", "6") // these tests wait far more than they compute
	}
	code := 1
	err := prepare(context.Background())
	if err == nil {
		code = m.Run()
		printOutages()
		err = nothingLeft(context.Background())
	}
	if shared.program != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(shared.program)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/docker:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// prepare looks for what the tests need and builds what they run.
func prepare(ctx context.Context) (err error) {
	host := cmp.Or(os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock")
	if shared.engine, err = newEngine(host); err != nil {
		return err
	}
	if err := shared.engine.call(ctx, "GET", "/_ping", nil, new([]byte)); err != nil {
		return fmt.Errorf("no Docker Engine answers at %s: %w\nrun `make docker`, which starts one, or on Debian: scripts/install-debian docker.io iptables", host, err)
	}
	gateways, err := shared.engine.foreignGateways(ctx)
	if err != nil {
		return err
	}
	if len(gateways) > 0 {
		return fmt.Errorf("the engine at %s already has what looks like a gateway, and aigw-ci would take it over: %s\nrun these tests on an engine without one", host, strings.Join(gateways, ", "))
	}
	if shared.bridge, err = shared.engine.bridge(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "aigw-ci-test-")
	if err != nil {
		return err
	}
	shared.program, shared.peer = filepath.Join(dir, "aigw-ci"), filepath.Join(dir, "peer")
	if err := build(ctx, shared.program, "aigw-ci/cmd/aigw-ci"); err != nil {
		return err
	}
	if err := build(ctx, shared.peer, "./testdata/peer"); err != nil {
		return err
	}
	shared.gateway, err = image.BuildBinary(ctx, dir)
	return err
}

// need fails the test when a program of the machine is missing.
func need(t testing.TB, program, pkg string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("this test needs %s: %v\non Debian: scripts/install-debian %s", program, err, pkg)
	}
}

// build compiles a static program, as `make build` does.
func build(ctx context.Context, to, program string) error {
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, program)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", program, err, said)
	}
	return nil
}

// nothingLeft reports what the program left on the engine, once all tests are over.
// The helpers of killed runs end by themselves and get a moment.
func nothingLeft(ctx context.Context) error {
	var left []string
	for range 50 {
		containers, err := shared.engine.containers(ctx)
		if err != nil {
			return err
		}
		images, err := shared.engine.images(ctx)
		if err != nil {
			return err
		}
		left = nil
		for _, l := range append(containers, images...) {
			if role := l.Labels["aigw-ci.role"]; role != "" {
				left = append(left, fmt.Sprintf("%s %s %v%v", role, l.ID, l.Names, l.RepoTags))
			}
		}
		if len(left) == 0 {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return fmt.Errorf("left on the engine:\n  %s", strings.Join(left, "\n  "))
}
