//go:build kubernetes

package kubernetes

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"aigw-ci/internal/lab/image"
)

// shared is what all tests of a run have in common. It is set once, before the first.
var shared struct {
	kubeconfig string         // an administrator's
	node       string         // the program that has kubectl in it
	helm       map[int]string // the programs, by major version
	host       string         // this machine, as pods know it
	certs      string         // where containerd looks up how to reach a registry
	program    string         // aigw-ci
	gateway    string         // the stand-in's program, for images
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
	}
	if shared.program != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(shared.program)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/kubernetes:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// prepare looks for what the tests need and builds what they run.
func prepare(ctx context.Context) (err error) {
	shared.helm = map[int]string{3: os.Getenv("AIGW_TEST_HELM3"), 4: os.Getenv("AIGW_TEST_HELM4")}
	shared.kubeconfig, shared.node = os.Getenv("KUBECONFIG"), os.Getenv("AIGW_TEST_NODE")
	shared.host, shared.certs = os.Getenv("AIGW_TEST_HOST"), os.Getenv("AIGW_TEST_CERTS_D")
	for _, given := range []string{shared.helm[3], shared.helm[4], shared.kubeconfig, shared.node, shared.host, shared.certs} {
		if given == "" { // any cluster would do but a person's own
			return errors.New("there is no cluster of tests\nrun `make kubernetes`, or scripts/with-cluster go test -tags kubernetes ./test/kubernetes")
		}
	}
	dir, err := os.MkdirTemp("", "aigw-ci-test-")
	if err != nil {
		return err
	}
	shared.program = filepath.Join(dir, "aigw-ci")
	if err := build(ctx, shared.program, "aigw-ci/cmd/aigw-ci"); err != nil {
		return err
	}
	shared.gateway, err = image.BuildBinary(ctx, dir)
	return err
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
