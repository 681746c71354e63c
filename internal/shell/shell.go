// Package shell is the POSIX shell of the job image: enough of one for what
// GitLab Runner sends into a build container, and for the few lines that people
// write around it.
//
// The image holds nothing that was not compiled from sources that go.sum pins, so
// that anybody can rebuild it to the same digest; a shell from a distribution
// could not be. The language is mvdan.cc/sh's, which is the better part of bash.
// What that interpreter leaves out and the runner's scripts need is added here:
// traps of signals, the options "set" refuses, kill and umask.
//
// It is no shell for a person: there are no job control, no history and no prompt.
//
// The package is the only one that imports mvdan.cc/sh.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// Exit statuses of the shell itself, as POSIX and bash have them.
const (
	statusUsage    = 2
	statusNotFound = 127
	statusSignal   = 128 // plus the signal's number
)

// Process is what a shell is given when it starts.
type Process struct {
	Args           []string // without the program's name
	Environ        []string
	Stdin          *os.File // a file, because the shell reads it in turns with its commands
	Stdout, Stderr io.Writer

	// Signals are those a script can trap: SIGTERM and the like. One that comes
	// while a command runs waits for the command's end, trapped or not: the shell is
	// process 1 of a build container, and would take a running command with it.
	Signals <-chan os.Signal
}

// Run runs one shell to its end and returns its exit status.
func Run(ctx context.Context, p Process) int {
	in, err := parseInvocation(p.Args)
	if err != nil {
		fmt.Fprintln(p.Stderr, "sh:", err)
		return statusUsage
	}
	var script io.Reader = p.Stdin
	switch {
	case in.inline:
		script = strings.NewReader(in.command)
	case in.file != "":
		f, err := os.Open(in.file)
		if err != nil {
			fmt.Fprintln(p.Stderr, "sh:", err)
			return statusNotFound
		}
		defer f.Close()
		script = f
	}
	t := &traps{signals: p.Signals, actions: make(map[string]string)}
	runner, err := interp.New(
		interp.StdIO(p.Stdin, p.Stdout, p.Stderr),
		interp.Env(expand.ListEnviron(p.Environ...)),
		interp.Params(in.params...),
		interp.CallHandler(t.call),
		interp.ExecHandlers(builtins),
	)
	if err != nil {
		fmt.Fprintln(p.Stderr, "sh:", err)
		return statusUsage
	}
	return status(p.Stderr, interpret(ctx, runner, script, in.name))
}

// interpret runs a script statement by statement, as it arrives: a shell that
// reads its script from standard input must not wait for the end of it.
func interpret(ctx context.Context, runner *interp.Runner, script io.Reader, name string) error {
	var last error
	for stmt, err := range syntax.NewParser().StmtsSeq(script) {
		if err != nil {
			return err
		}
		last = runner.Run(ctx, stmt)
		if _, isStatus := errors.AsType[interp.ExitStatus](last); runner.Exited() || last != nil && !isStatus {
			return last
		}
	}
	// The end of the script is an exit too: it runs the EXIT trap.
	code, _ := errors.AsType[interp.ExitStatus](last)
	end, err := syntax.NewParser().Parse(strings.NewReader(fmt.Sprintf("exit %d", code)), filepath.Base(name))
	if err != nil {
		return err
	}
	return runner.Run(ctx, end)
}

// status is the exit status that says how a script ended.
func status(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[interp.ExitStatus](err); ok {
		return int(code)
	}
	if s, ok := errors.AsType[stopped](err); ok {
		return statusSignal + int(s)
	}
	fmt.Fprintln(stderr, "sh:", err)
	return statusUsage
}
