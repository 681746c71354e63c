package engine

import "syscall"

// processAttributes makes a program the head of its own group, and lets the
// kernel kill it when the engine dies without having closed.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
