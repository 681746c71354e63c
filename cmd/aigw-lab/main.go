// Command aigw-lab runs a stand-in GitLab, a registry of gateway images and the
// gateways in them, for trying aigw-ci on a machine that has none of the real ones.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot(os.Getenv, os.Stdout, os.Stderr).ExecuteContext(ctx)
	stop()
	if code, ok := errors.AsType[exitCode](err); ok {
		os.Exit(int(code))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "aigw-lab:", err)
		os.Exit(1)
	}
}

// exitCode ends the program with a code of its own; what there was to say is said.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
