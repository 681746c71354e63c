// Command standin is the one program in the lab's gateway images, under the name
// of the real image's start script.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"aigw-ci/internal/lab/gateway"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	settings, err := gateway.Read(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := gateway.Run(ctx, settings, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
