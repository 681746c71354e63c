package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// parts are the cluster's processes: the programs of this binary, and containerd.
type parts struct {
	place
	ended chan part
}

// part is a process that should not end before the cluster does.
type part struct {
	name string
	log  string
	err  error // why it ended
}

// startOwn starts a part that is in this program, under its own name.
func (p *parts) startOwn(name string, arguments ...string) (part, error) {
	program, err := os.Executable()
	if err != nil {
		return part{}, fmt.Errorf("starting %s: %w", name, err)
	}
	return p.start(name, program, append([]string{name}, arguments...)...)
}

// start starts a program with its output in a log of its own. The kernel ends it with
// the namespace, so nobody has to stop it.
func (p *parts) start(name, program string, arguments ...string) (part, error) {
	this := part{name: name, log: p.path("log/" + name + ".log")}
	log, err := os.Create(this.log)
	if err != nil {
		return this, fmt.Errorf("starting %s: %w", name, err)
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr, command.Env = log, log, p.environment()
	if err := command.Start(); err != nil {
		return this, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		ended := this
		ended.err = command.Wait()
		p.ended <- ended
	}()
	return this, nil
}

// environment is that of the parts: nothing of the caller's, such as a proxy, that
// would make one cluster other than the next.
func (p place) environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + p.Dir(), "TMPDIR=" + p.Dir()}
}

// explain is an error about a part, with the last of what it logged.
func (p part) explain(err error) error {
	const last = 15
	text, readErr := os.ReadFile(p.log)
	if readErr != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[max(0, len(lines)-last):]
	return fmt.Errorf("%w\nthe last lines of %s:\n  %s", err, p.log, strings.Join(lines, "\n  "))
}
