// Package coreutil is the handful of commands beside the shell in the job image:
// those that GitLab Runner's scripts call in a build container, and those without
// which nobody can look at a file there. They do what POSIX says for the options
// they know, and refuse the others by name.
//
// Which they are comes from the runner's own sources: shells/bash.go for the
// scripts, shells.ContainerSigTermScriptForLinux for the one that ends a cancelled
// job (ls, kill, sleep), executors/docker/internal/user for id.
package coreutil

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Process is what a command is given.
type Process struct {
	Args           []string // the command's name first; there must be one
	Environ        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// tool is one command. flags are the options that it knows, without values.
type tool struct {
	flags string
	run   func(ctx context.Context, p Process, on options, args []string) error
}

func tools() map[string]tool {
	return map[string]tool{
		"cat":   {"u", cat},
		"chmod": {"R", chmod},
		"cp":    {"Rrpf", cp},
		"env":   {"", env},
		"id":    {"ugnr", id},
		"ls":    {"1aAdlrv", ls},
		"mkdir": {"p", mkdir},
		"mv":    {"f", mv},
		"rm":    {"rRf", rm},
		"sleep": {"", sleep},
		"tee":   {"a", tee},
		"touch": {"c", touch},
	}
}

// Names are the commands there are, in order.
func Names() []string { return slices.Sorted(maps.Keys(tools())) }

// errUsage is the sentinel of a wrong command line.
var errUsage = errors.New("usage")

// Run runs the command named by the first argument and returns its exit status:
// 0, 1 when it could not do all of it, 2 for a wrong command line, and 127 when
// there is no such command.
func Run(ctx context.Context, p Process) int {
	name, args := p.Args[0], p.Args[1:]
	t, ok := tools()[name]
	if !ok {
		fmt.Fprintf(p.Stderr, "%s: not found; there are %s\n", name, strings.Join(Names(), ", "))
		return 127
	}
	on, args, err := parse(t.flags, args)
	if err == nil {
		err = t.run(ctx, p, on, args)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(p.Stderr, "%s: %v\n", name, err)
		return 2
	}
	for line := range strings.SplitSeq(err.Error(), "\n") { // one line per file
		fmt.Fprintf(p.Stderr, "%s: %s\n", name, line)
	}
	return 1
}

// options are the flags that were given.
type options string

func (o options) has(any string) bool { return strings.ContainsAny(string(o), any) }

// parse takes the flags off the front: one letter each, several in a word. "-" alone
// is an argument, and "--" ends the flags.
func parse(known string, args []string) (options, []string, error) {
	var on options
	for len(args) > 0 {
		word := args[0]
		if word == "--" {
			return on, args[1:], nil
		}
		if len(word) < 2 || word[0] != '-' {
			break
		}
		for _, c := range word[1:] {
			if !strings.ContainsRune(known, c) {
				return "", nil, fmt.Errorf("%w: unknown option %q", errUsage, word)
			}
			on += options(c)
		}
		args = args[1:]
	}
	return on, args, nil
}

// atLeast is a usage error when there are fewer arguments than that.
func atLeast(n int, args []string, what string) error {
	if len(args) < n {
		return fmt.Errorf("%w: which %s?", errUsage, what)
	}
	return nil
}

// each does it to every argument and returns all that went wrong.
func each(args []string, do func(string) error) error {
	var errs []error
	for _, arg := range args {
		errs = append(errs, do(arg))
	}
	return errors.Join(errs...)
}
