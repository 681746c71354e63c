package docker

import (
	"context"
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// session runs one command line. Source: RFC 4254, 6.5 and 6.10.
func (h *sshHost) session(open ssh.NewChannel) {
	channel, requests, err := open.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		exit := h.run(string(r.Payload[4:]), channel) // after the length of the string
		if exit >= 0 {
			_, _ = channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(exit)))
		}
		return
	}
}

// shell runs a command line with the shell of this machine, as sshd does.
func shell(command string, channel ssh.Channel) int {
	program := exec.Command("/bin/sh", "-c", command)
	program.Stdout, program.Stderr = channel, channel.Stderr()
	_ = program.Run()
	return program.ProcessState.ExitCode()
}

// login is how to get into h.
func (h *sshHost) login(t *testing.T) ConnectOptions {
	t.Helper()
	return ConnectOptions{
		Host:       "ssh://git@" + h.addr,
		KnownHosts: []string{h.knows(t, h.keys[ssh.KeyAlgoED25519].PublicKey())},
		SSHKeys:    []string{h.client},
	}
}

func TestSSHRun(t *testing.T) {
	t.Parallel()
	h := newSSHHost(t, pingable())
	h.run = shell
	hostile := `a'b"c $(touch /tmp/x) ` + "`id`" + ` ; | & < > \ * ~ ! [x] {a,b} é`
	tests := []struct {
		name   string
		argv   []string
		stdout string
		stderr string
		exit   int
		err    string
	}{
		{name: "words arrive as they are", argv: []string{"printf", "%s,", hostile, "", "-n"}, stdout: hostile + ",,-n,"},
		{name: "both streams", argv: []string{"sh", "-c", "echo out; echo err >&2; exit 7"}, stdout: "out\n", stderr: "err\n", exit: 7},
		{name: "no such program", argv: []string{"no such program"}, stderr: "not found", exit: 127},
		{name: "too much", argv: []string{"cat", "/dev/zero"}, err: "more than 1048576 bytes"},
		{name: "a word with a line break", argv: []string{"a\nb"}, err: "control characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, exit, err := SSHRun(t.Context(), h.login(t), tt.argv)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || stdout != nil {
					t.Errorf("%.100q, %v; want an error with %q", stdout, err, tt.err)
				}
				return
			}
			if string(stdout) != tt.stdout || !strings.Contains(string(stderr), tt.stderr) || exit != tt.exit || err != nil {
				t.Errorf("%q, %q, %d, %v; want %q, %q, %d", stdout, stderr, exit, err, tt.stdout, tt.stderr, tt.exit)
			}
		})
	}
}

func TestSSHRunFails(t *testing.T) {
	t.Parallel()
	h := newSSHHost(t, pingable())
	h.run = shell
	stranger := h.login(t)
	stranger.KnownHosts = nil
	elsewhere := h.login(t)
	elsewhere.Host = "ssh://git@127.0.0.1:1"
	engine := h.login(t)
	engine.Host = "unix:///var/run/docker.sock"
	for name, tt := range map[string]struct {
		o    ConnectOptions
		want string
	}{
		"an unknown host":  {stranger, "is not known"},
		"nobody there":     {elsewhere, "open its SSH port"},
		"not an SSH host":  {engine, "write ssh://user@host"},
		"no key to log in": {ConnectOptions{Host: "ssh://git@" + h.addr}, "no key to log in"},
	} {
		if _, _, _, err := SSHRun(t.Context(), tt.o, []string{"true"}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
	}
	killed := newSSHHost(t, pingable())
	killed.run = func(string, ssh.Channel) int { return -1 }
	if _, _, _, err := SSHRun(t.Context(), killed.login(t), []string{"true"}); err == nil || !strings.Contains(err.Error(), "without exit status") {
		t.Errorf("a killed program: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, _, err := SSHRun(ctx, h.login(t), []string{"sleep", "5"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow program: %v", err)
	}
}

func TestShellWords(t *testing.T) {
	got, err := shellWords([]string{"gitlab-rake", "a[b c]", "it's", "$(id)`id`;|&<>\"\\", ""})
	if want := `'gitlab-rake' 'a[b c]' 'it'\''s' '$(id)` + "`id`" + `;|&<>"\' ''`; got != want || err != nil {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	for _, argv := range [][]string{nil, {"a\nb"}, {"a", "\x00"}, {"\x1b[31m"}} {
		if got, err := shellWords(argv); err == nil {
			t.Errorf("%q becomes %s", argv, got)
		}
	}
}
