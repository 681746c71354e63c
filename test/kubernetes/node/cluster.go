package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// cluster is what runs in namespaces of its own.
type cluster struct {
	process *exec.Cmd
	leash   io.Closer   // the process ends when this is closed, or this process ends
	ready   <-chan bool // true once it is up; then, or at once, false when it has ended
}

// startCluster starts the process inside, and connects it. The lock goes with it: it
// is free when both have ended.
func (p place) startCluster(lock *os.File) (_ *cluster, err error) {
	// A child is told of the end of the thread that started it, not of the process.
	runtime.LockOSThread()
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process := exec.Command(program, "inside", p.Dir())
	process.Stderr, process.Env = os.Stderr, p.environment()
	process.ExtraFiles = []*os.File{lock} // lockDescriptor
	process.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Setsid:     true, // not in reach of a terminal's Ctrl-C
		Pdeathsig:  syscall.SIGKILL,
	}
	leash, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	says, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("starting the cluster: %w", err)
	}
	isReady := make(chan bool)
	c := &cluster{process: process, leash: leash, ready: isReady}
	go func() {
		defer close(isReady)
		for lines := bufio.NewScanner(says); lines.Scan(); {
			isReady <- lines.Text() == ready
		}
	}()
	if err = connect(process.Process.Pid); err == nil {
		_, err = io.WriteString(leash, connected+"\n")
	}
	if err != nil {
		c.end()
		return nil, fmt.Errorf("connecting the cluster: %w", err)
	}
	return c, nil
}

// end kills the cluster; its data is thrown away. The first process of a namespace
// has ended when all the others have.
func (c *cluster) end() {
	_ = c.process.Process.Kill()
	for range c.ready { // everything it said is read
	}
	_ = c.leash.Close()
	_ = c.process.Wait()
}
