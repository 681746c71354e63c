//go:build unix && !linux

package engine

import "syscall"

// processAttributes makes a program the head of its own group.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
