// Package program is aigw-ci as tests meet it from outside: a binary that is built, is
// started as a job of a pipeline starts it, and leaves an exit code, a log and reports.
package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// AigwCI is the package of the program.
const AigwCI = "aigw-ci/cmd/aigw-ci"

// Build compiles a static program, as `make build` does. pkg is an import path, or a
// folder such as "./testdata/peer".
func Build(ctx context.Context, to, pkg string) error {
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, pkg)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, said)
	}
	return nil
}
