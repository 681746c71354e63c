package shell

import (
	"strconv"
	"strings"
	"syscall"
)

// signalNames are those that a script sends or traps. Source: POSIX, <signal.h>.
var signalNames = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "KILL": syscall.SIGKILL,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "PIPE": syscall.SIGPIPE, "ALRM": syscall.SIGALRM,
	"TERM": syscall.SIGTERM, "CONT": syscall.SIGCONT, "STOP": syscall.SIGSTOP,
}

// signalNumber reads "TERM", "SIGTERM" or "15". Zero is no signal, but a question:
// does the process exist?
func signalNumber(s string) (syscall.Signal, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return syscall.Signal(n), n >= 0 && n <= 64
	}
	n, ok := signalNames[strings.TrimPrefix(strings.ToUpper(s), "SIG")]
	return n, ok
}

// signalName is the name without SIG, or the number.
func signalName(number syscall.Signal) string {
	for name, n := range signalNames {
		if n == number {
			return name
		}
	}
	return strconv.Itoa(int(number))
}
