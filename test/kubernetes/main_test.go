//go:build kubernetes

package kubernetes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
	"aigw-ci/test/suite"
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
	os.Exit(suite.Suite{Name: "test/kubernetes", Parallel: 6, Prepare: prepare}.Run(m))
}

// prepare looks for what the tests need and builds what they run.
func prepare(ctx context.Context, dir string) (err error) {
	shared.helm = map[int]string{3: os.Getenv("AIGW_TEST_HELM3"), 4: os.Getenv("AIGW_TEST_HELM4")}
	shared.kubeconfig, shared.node = os.Getenv("KUBECONFIG"), os.Getenv("AIGW_TEST_NODE")
	shared.host, shared.certs = os.Getenv("AIGW_TEST_HOST"), os.Getenv("AIGW_TEST_CERTS_D")
	for _, given := range []string{shared.helm[3], shared.helm[4], shared.kubeconfig, shared.node, shared.host, shared.certs} {
		if given == "" { // any cluster would do but a person's own
			return errors.New("there is no cluster of tests\nrun `make kubernetes`, or scripts/with-cluster go test -tags kubernetes ./test/kubernetes")
		}
	}
	shared.program = filepath.Join(dir, "aigw-ci")
	if err := program.Build(ctx, shared.program, program.AigwCI); err != nil {
		return err
	}
	shared.gateway, err = image.BuildBinary(ctx, dir)
	return err
}
