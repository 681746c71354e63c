package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func say(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "with-cluster: "+format+"\n", arguments...)
}

// up runs a command with a cluster and returns its exit code, or 1 when there is no
// cluster to be had. Nothing of the cluster is left then. The command finds in its
// environment:
//
//	KUBECONFIG           an administrator's
//	AIGW_TEST_NODE       this program, for its kubectl
//	AIGW_TEST_HOST       this machine, as pods reach it
//	AIGW_TEST_CERTS_D    where containerd looks for HOST:PORT/hosts.toml at every pull
//	AIGW_TEST_LOGS       the logs of the cluster's parts
func up(arguments []string) int {
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	pause := flags.String("pause", "", "the program that pods start with")
	_ = flags.Parse(arguments)
	command := flags.Args()
	if len(command) == 0 {
		say("which command?")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, *pause, command)
	if err != nil {
		say("%v", err)
		return max(code, 1)
	}
	return code
}

// run returns the command's exit code.
func run(ctx context.Context, pause string, command []string) (code int, err error) {
	if err := possible(); err != nil {
		return 1, err
	}
	lock, err := takeLock(ctx)
	if err != nil {
		return 1, err
	}
	defer func() { _ = lock.Close() }()
	if err := clearLeftovers(); err != nil {
		return 1, err
	}
	p, err := newPlace()
	defer func() {
		began := time.Now()
		err = errors.Join(err, clearLeftovers())
		say("the cluster is gone (%.1fs)", time.Since(began).Seconds())
	}()
	if err != nil {
		return 1, err
	}
	for _, write := range []func() error{p.writeKeys, p.writeSettings, func() error { return p.writePause(pause) }} {
		if err := write(); err != nil {
			return 1, fmt.Errorf("preparing the cluster: %w", err)
		}
	}
	began := time.Now()
	c, err := p.startCluster(lock)
	if err != nil {
		return 1, err
	}
	defer c.end()
	select {
	case up := <-c.ready:
		if !up {
			return 1, errors.New("the cluster did not start")
		}
	case <-ctx.Done():
		return 1, errors.New("interrupted")
	}
	say("a cluster of our own at %s (%.1fs)", p.API(), time.Since(began).Seconds())
	return p.runCommand(ctx, command, c)
}

// possible reports what is missing on this machine.
func possible() error {
	if os.Geteuid() != 0 {
		return errors.New("only root can start a cluster")
	}
	for _, program := range []string{"containerd", "ctr", "runc", "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("a cluster needs %s\non Debian: scripts/install-debian containerd runc containernetworking-plugins iptables", program)
		}
	}
	if _, err := os.Stat("/usr/lib/cni/bridge"); err != nil {
		return fmt.Errorf("a cluster needs the CNI plugins: %w\non Debian: scripts/install-debian containernetworking-plugins", err)
	}
	return nil
}
