package shell

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/interp"
)

// builtinPrefix marks the commands that the interpreter takes for builtins of its
// own and then does not have. No file can have such a name.
const builtinPrefix = "sh/builtin/"

// builtins runs the commands that only the shell's own process can, or that a
// script expects where no file system is.
func builtins(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return func(ctx context.Context, args []string) error {
		name, ok := strings.CutPrefix(args[0], builtinPrefix)
		if !ok {
			return next(ctx, args)
		}
		hc := interp.HandlerCtx(ctx)
		var err error
		switch name {
		case "kill":
			err = kill(args[1:])
		case "umask":
			err = umask(hc, args[1:])
		}
		if err != nil {
			fmt.Fprintf(hc.Stderr, "sh: %s: %v\n", name, err)
			return interp.ExitStatus(1)
		}
		return nil
	}
}

// kill sends a signal to processes: kill [-TERM | -s TERM | -15] PID...
func kill(args []string) error {
	number := syscall.SIGTERM
	if len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "--" {
		name := args[0][1:]
		args = args[1:]
		if name == "s" && len(args) > 0 {
			name, args = args[0], args[1:]
		}
		var ok bool
		if number, ok = signalNumber(name); !ok {
			return fmt.Errorf("%s: no such signal", name)
		}
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return fmt.Errorf("which process?")
	}
	for _, arg := range args {
		pid, err := strconv.Atoi(arg)
		if err != nil {
			return fmt.Errorf("%q is no process number", arg)
		}
		if err := syscall.Kill(pid, number); err != nil {
			return fmt.Errorf("%d: %w", pid, err)
		}
	}
	return nil
}

// umask prints or sets the file mode creation mask, in octal.
func umask(hc interp.HandlerContext, args []string) error {
	if len(args) == 0 {
		now := syscall.Umask(0)
		syscall.Umask(now)
		fmt.Fprintf(hc.Stdout, "%04o\n", now)
		return nil
	}
	mask, err := strconv.ParseUint(args[0], 8, 9)
	if err != nil || len(args) > 1 {
		return fmt.Errorf("%q is no mask; write it like 077", strings.Join(args, " "))
	}
	syscall.Umask(int(mask))
	return nil
}
