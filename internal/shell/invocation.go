package shell

import (
	"errors"
	"fmt"
	"strings"
)

// invocation is a shell's command line, understood. Source: POSIX, "sh".
type invocation struct {
	inline  bool   // -c
	command string // the script of -c
	file    string // the script's file; with neither, it comes from standard input
	name    string // for messages
	params  []string
}

var errNoCommand = errors.New("-c: which command?")

// parseInvocation accepts what "sh" and "set" accept, and takes -l (a login shell,
// which has nothing to read here) and -i for granted.
func parseInvocation(args []string) (invocation, error) {
	in := invocation{name: "sh"}
	stdin := false
	var set []string
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" || arg == "-" {
			args = args[1:]
			break
		}
		if len(arg) < 2 || arg[0] != '-' && arg[0] != '+' {
			break
		}
		args = args[1:]
		if arg == "--login" {
			continue
		}
		if strings.HasPrefix(arg, "--") {
			return invocation{}, fmt.Errorf("unknown option %q", arg)
		}
		var flags []byte
		for i, c := range []byte(arg[1:]) {
			switch c {
			case 'c':
				in.inline = true
			case 's':
				stdin = true
			case 'l', 'i':
			case 'o':
				if i != len(arg)-2 || len(args) == 0 {
					return invocation{}, fmt.Errorf("%s: which option?", arg)
				}
				set = append(set, arg[:1]+"o", args[0])
				args = args[1:]
			default:
				flags = append(flags, c)
			}
		}
		if len(flags) > 0 {
			set = append(set, arg[:1]+string(flags))
		}
	}
	switch {
	case in.inline && len(args) == 0:
		return invocation{}, errNoCommand
	case in.inline:
		in.command, args = args[0], args[1:]
		if len(args) > 0 { // the name of the script, $0
			in.name, args = args[0], args[1:]
		}
	case !stdin && len(args) > 0:
		in.file, in.name, args = args[0], args[0], args[1:]
	}
	in.params = append(append(known(set), "--"), args...)
	return in, nil
}
