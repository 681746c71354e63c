// Package suite runs the tests of a package that need something to be there: an engine
// or a cluster, and programs that are built for all of them.
package suite

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// Suite is what is around the tests of a package.
type Suite struct {
	Name     string // of the package: "test/docker"
	Parallel int    // how many tests run at the same time, unless a flag says it

	// Prepare looks for what the tests need, and builds into dir what they run.
	Prepare func(ctx context.Context, dir string) error

	// Finish looks at what the tests left, once all are over. It may be nil.
	Finish func(ctx context.Context) error
}

// Run runs the tests of a package, and returns the exit code for TestMain.
func (s Suite) Run(m *testing.M) int {
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		_ = flag.Set("test.parallel", strconv.Itoa(s.Parallel)) // such tests wait far more than they compute
	}
	code, err := s.run(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", s.Name, err)
		code = max(code, 1)
	}
	return code
}

func (s Suite) run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "aigw-ci-test-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx := context.Background()
	if err := s.Prepare(ctx, dir); err != nil {
		return 1, err
	}
	code = m.Run()
	if s.Finish == nil {
		return code, nil
	}
	return code, s.Finish(ctx)
}
