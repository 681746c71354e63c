//go:build unix

package engine

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// defaultPath is the PATH of a container that sets none.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// startProcess starts a container's program, which must be one of its own
// files. It gets the container's environment and nothing of the engine's.
func (e *Engine) startProcess(c *instance, out []*stream) (*exec.Cmd, error) {
	e.mu.Lock()
	program, args := c.path()
	env := e.environment(c)
	workdir := c.config.WorkingDir
	e.mu.Unlock()
	root, err := os.OpenRoot(c.rootDir())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := findProgram(root, program, workdir, env)
	if err != nil {
		return nil, err
	}
	dir, err := inside(root, workdir)
	if err != nil {
		return nil, err
	}
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		cmd := exec.CommandContext(e.life, filepath.Join(c.rootDir(), file), args...)
		cmd.Args[0] = program
		cmd.Dir = filepath.Join(c.rootDir(), dir)
		cmd.Env = env
		cmd.Stdout, cmd.Stderr = out[0], out[1]
		cmd.SysProcAttr = processAttributes()
		cmd.Cancel = func() error { killGroup(cmd); return nil }
		cmd.WaitDelay = time.Second // for children that keep the output open
		err := cmd.Start()
		if errors.Is(err, syscall.ETXTBSY) && tries < 20 {
			// Another process was forked while the file was being unpacked, and has
			// it open for writing until it calls exec (golang.org/issue/22315).
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			return nil, &execError{126, fmt.Sprintf("exec: %q: %v", program, errors.Unwrap(err))}
		}
		return cmd, nil
	}
}

// environment is what the program sees. e.mu is held.
func (e *Engine) environment(c *instance) []string {
	env := []string{"HOSTNAME=" + c.config.Hostname}
	if !slices.ContainsFunc(c.config.Env, func(s string) bool { return strings.HasPrefix(s, "PATH=") }) {
		env = append(env, defaultPath)
	}
	for _, kv := range c.config.Env {
		if strings.Contains(kv, "=") { // a bare name unsets, which is the case already
			env = append(env, kv)
		}
	}
	host := c.addr.String()
	switch mode := c.host.NetworkMode; {
	case mode.IsHost():
		host = "127.0.0.1"
	case mode.IsContainer():
		if other, err := e.find(mode.ConnectedContainer()); err == nil {
			host = other.addr.String()
		}
	}
	return append(env, "LAB_HOST="+host, "LAB_ROOT="+c.rootDir())
}

// findProgram looks for a program among the container's files: in its PATH when
// the name has no slash, and from its working directory when the path is relative.
func findProgram(root *os.Root, program, workdir string, env []string) (string, error) {
	candidates := []string{program}
	switch {
	case !strings.Contains(program, "/"):
		candidates = nil
		for _, kv := range env {
			if dirs, ok := strings.CutPrefix(kv, "PATH="); ok {
				for dir := range strings.SplitSeq(dirs, ":") {
					candidates = append(candidates, path.Join("/", dir, program))
				}
			}
		}
	case !path.IsAbs(program):
		candidates = []string{path.Join("/", workdir, program)}
	}
	for _, p := range candidates {
		file, err := inside(root, p)
		if err != nil {
			continue
		}
		info, err := root.Stat(file)
		switch {
		case err != nil:
		case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
			return "", &execError{126, fmt.Sprintf("exec: %q: permission denied", program)}
		default:
			return file, nil
		}
	}
	if strings.Contains(program, "/") {
		return "", &execError{127, fmt.Sprintf("exec: %q: stat %s: no such file or directory", program, program)}
	}
	return "", &execError{127, fmt.Sprintf("exec: %q: executable file not found in $PATH", program)}
}

// killGroup kills a program and its children. Those may be gone already.
func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// exitCode is what a shell would report: 128 and the signal's number for a
// program that a signal ended.
func exitCode(err error) int {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0 // also when only its children kept the output open
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return exit.ExitCode()
}

// parseSignal reads a signal's number or name, with or without "SIG".
func parseSignal(s string, otherwise syscall.Signal) (syscall.Signal, error) {
	if s == "" {
		return otherwise, nil
	}
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n), nil
	}
	if sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(s), "SIG")); sig != 0 {
		return sig, nil
	}
	return 0, refuse(http.StatusBadRequest, "Invalid signal: %s", s)
}

// execError is a program that could not be executed.
type execError struct {
	exitCode int // 127: not there; 126: not executable
	cause    string
}

func (x *execError) Error() string {
	return "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: " + x.cause + ": unknown"
}

// Unwrap gives it its status in the API.
func (x *execError) Unwrap() error { return &refusal{status: http.StatusBadRequest} }
