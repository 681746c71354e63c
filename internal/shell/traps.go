package shell

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// stopped is the end of a script by a signal that it did not trap.
type stopped syscall.Signal

func (s stopped) Error() string { return "stopped by " + syscall.Signal(s).String() }

// traps holds what a script wants to do on a signal, and sees to it between two
// commands. It is the shell's, not a subshell's: a trap set in a subshell stays.
type traps struct {
	signals <-chan os.Signal

	mu      sync.Mutex
	actions map[string]string // by the signal's name; "" ignores it
}

// call looks at every command before it runs. A signal that came in the meantime
// puts its trap before the command.
func (t *traps) call(ctx context.Context, args []string) ([]string, error) {
	select {
	case s := <-t.signals:
		action, trapped, err := t.action(s)
		if err != nil {
			return nil, err
		}
		if trapped {
			return before(action, args)
		}
	default:
	}
	switch args[0] {
	case "trap":
		return t.set(interp.HandlerCtx(ctx), args)
	case "set":
		return append([]string{"set"}, known(args[1:])...), nil
	case "kill", "umask":
		return append([]string{builtinPrefix + args[0]}, args[1:]...), nil
	}
	return args, nil
}

// before is a command that does an action, and then the command it stands for.
func before(action string, args []string) ([]string, error) {
	lines := []byte(action + "\n")
	for _, arg := range args {
		word, err := syntax.Quote(arg, syntax.LangBash)
		if err != nil {
			return nil, fmt.Errorf("quoting %q: %w", arg, err)
		}
		lines = append(append(lines, word...), ' ')
	}
	return []string{"eval", string(lines)}, nil
}

// action tells what to do about a signal: an action that is not empty, nothing, or
// an end.
func (t *traps) action(s os.Signal) (action string, trapped bool, err error) {
	number, ok := s.(syscall.Signal)
	if !ok {
		return "", false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	action, trapped = t.actions[signalName(number)]
	if !trapped {
		return "", false, stopped(number)
	}
	return action, action != "", nil
}

// set keeps the traps of signals, and leaves those of EXIT and ERR to the
// interpreter, which has them.
func (t *traps) set(hc interp.HandlerContext, args []string) ([]string, error) {
	conditions := args[1:]
	if len(conditions) > 0 && conditions[0] == "--" {
		conditions = conditions[1:]
	}
	if len(conditions) < 2 || strings.HasPrefix(conditions[0], "-") && conditions[0] != "-" {
		return args, nil // a listing, or nothing this shell knows better
	}
	action, conditions := conditions[0], conditions[1:]
	rest := []string{"trap", action}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, condition := range conditions {
		switch condition {
		case "0":
			rest = append(rest, "EXIT")
			continue
		case "EXIT", "ERR":
			rest = append(rest, condition)
			continue
		}
		number, ok := signalNumber(condition)
		if !ok {
			fmt.Fprintf(hc.Stderr, "sh: trap: %s: no such signal\n", condition)
			return []string{"false"}, nil
		}
		if action == "-" {
			delete(t.actions, signalName(number))
		} else {
			t.actions[signalName(number)] = action
		}
	}
	if len(rest) == 2 {
		return []string{"true"}, nil
	}
	return rest, nil
}

// known takes out of set's arguments the options that the interpreter refuses
// although this shell cannot be without what they say. A runner's script switches
// noclobber off and would end there. Source: gitlab-runner, shells/bash.go.
func known(args []string) []string {
	for i := 0; i+1 < len(args); i++ {
		if args[i] == "+o" && args[i+1] == "noclobber" {
			return known(slices.Delete(slices.Clone(args), i, i+2))
		}
	}
	return args
}
