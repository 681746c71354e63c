package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// runCommand runs the command in this machine's own namespaces and returns its exit
// code. It ends the command, and says why, on a signal and when the cluster has ended.
func (p place) runCommand(ctx context.Context, arguments []string, c *cluster) (int, error) {
	program, err := os.Executable()
	if err != nil {
		return 1, err
	}
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(),
		"KUBECONFIG="+p.path("kubeconfig"),
		"AIGW_TEST_NODE="+program,
		"AIGW_TEST_HOST="+machineAddress,
		"AIGW_TEST_CERTS_D="+p.path("certs.d"),
		"AIGW_TEST_LOGS="+p.path("log"))
	// A group of its own, so that a signal reaches all of it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	defer lendTerminal(command)()
	if err := command.Start(); err != nil {
		return 1, err
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	group := -command.Process.Pid

	select {
	case err := <-done:
		return exitCode(err)
	case <-ctx.Done():
		err = errors.New("interrupted")
		_ = syscall.Kill(group, syscall.SIGTERM)
	case <-c.ready:
		err = errors.New("the cluster ended before the command did")
		_ = syscall.Kill(group, syscall.SIGTERM)
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-done
	}
	return 1, err
}

// lendTerminal lets a command have the terminal, if this process has one: it may read
// from it, and Ctrl-C is for it. What it returns takes the terminal back.
func lendTerminal(command *exec.Cmd) (takeBack func()) {
	own, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	if err != nil || own != unix.Getpgrp() {
		return func() {}
	}
	command.SysProcAttr.Foreground = true
	return func() {
		signal.Ignore(syscall.SIGTTOU) // which is what a process gets that is not in front
		_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, own)
	}
}

// exitCode is a command's, as a shell says it.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
