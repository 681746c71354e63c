// Command aigw-sh is the shell of the job image, and under other names the few
// commands beside it: /bin/sh, /bin/cat and the rest are links to it.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"aigw-ci/internal/coreutil"
	"aigw-ci/internal/shell"
)

func main() {
	// A login shell is called by its name with a dash before it.
	name := strings.TrimPrefix(filepath.Base(os.Args[0]), "-")
	if name != "sh" && name != "aigw-sh" {
		os.Exit(coreutil.Run(context.Background(), coreutil.Process{
			Args:    append([]string{name}, os.Args[1:]...),
			Environ: os.Environ(),
			Stdin:   os.Stdin,
			Stdout:  os.Stdout,
			Stderr:  os.Stderr,
		}))
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP)
	os.Exit(shell.Run(context.Background(), shell.Process{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Signals: signals,
	}))
}
