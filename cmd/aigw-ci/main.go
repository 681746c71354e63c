// Command aigw-ci keeps a self-hosted GitLab AI Gateway in step with its GitLab:
// it finds the image that belongs to GitLab's version, proves it beside the old
// one, puts it in place, proves it again, and puts the old one back when it fails.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// release is set by the build.
var release = "development"

func main() {
	// A cancelled CI job sends SIGTERM; a person sends SIGINT.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	executable, _ := os.Executable()
	hostname, _ := os.Hostname()
	os.Exit(run(ctx, os.Args[1:], system{
		environ:    os.Environ(),
		stdin:      os.Stdin,
		stdout:     os.Stdout,
		stderr:     os.Stderr,
		executable: executable,
		hostname:   hostname,
		root:       os.Geteuid() == 0,
	}))
}
