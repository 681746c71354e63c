// Command aigw-image builds the job image, pins it in the templates, and publishes
// it. It is for those who release aigw-ci, and for those who check a release.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot(surroundings{
		getenv: os.Getenv,
		proxy:  http.ProxyFromEnvironment,
		stdout: os.Stdout,
		stderr: os.Stderr,
	}).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "aigw-image:", err)
		os.Exit(1)
	}
}
