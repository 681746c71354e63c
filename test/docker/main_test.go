//go:build docker

package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
	"aigw-ci/test/suite"
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
	os.Exit(suite.Suite{Name: "test/docker", Parallel: 6, Prepare: prepare, Finish: finish}.Run(m))
}

// prepare looks for what the tests need and builds what they run.
func prepare(ctx context.Context, dir string) error {
	found, bridge, err := suite.Engine(ctx, os.Getenv("DOCKER_HOST"))
	if err != nil {
		return err
	}
	shared.engine, shared.bridge = &engine{found}, bridge
	shared.program, shared.peer = filepath.Join(dir, "aigw-ci"), filepath.Join(dir, "peer")
	if err := program.Build(ctx, shared.program, program.AigwCI); err != nil {
		return err
	}
	if err := program.Build(ctx, shared.peer, "./testdata/peer"); err != nil {
		return err
	}
	shared.gateway, err = image.BuildBinary(ctx, dir)
	return err
}

func finish(ctx context.Context) error {
	printOutages()
	return nothingLeft(ctx)
}

// need fails the test when a program of the machine is missing.
func need(t testing.TB, program, pkg string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("this test needs %s: %v\non Debian: scripts/install-debian %s", program, err, pkg)
	}
}

// nothingLeft reports what the program left on the engine, once all tests are over.
// The helpers of killed runs end by themselves and get a moment.
func nothingLeft(ctx context.Context) error {
	var left []string
	for range 50 {
		containers, err := shared.engine.Containers(ctx)
		if err != nil {
			return err
		}
		images, err := shared.engine.Images(ctx)
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
