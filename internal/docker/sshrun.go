package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
)

// SSHRun logs in to another machine, runs a program there and waits for its end. Of
// o it takes Host, "ssh://user@host[:port]", and how to log in: KnownHosts, SSHAgent
// and SSHKeys. There need not be an engine.
//
// On the other side is the user's shell, so every word of argv is quoted for one;
// words with control characters are refused. The program has no terminal and no
// input. An error means that its end was not seen; a program that writes more than
// 1 MiB to one of its streams is one. When ctx ends the connection is closed, and
// the program is left to notice it.
func SSHRun(ctx context.Context, o ConnectOptions, argv []string) (stdout, stderr []byte, exit int, err error) {
	command, err := shellWords(argv)
	if err != nil {
		return nil, nil, 0, err
	}
	host, err := parseHost(o.Host, false)
	if err != nil {
		return nil, nil, 0, err
	}
	if host.Scheme != "ssh" {
		return nil, nil, 0, fmt.Errorf("%s is no SSH host: write ssh://user@host", host)
	}
	login, err := logIn(ctx, host, o)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("logging in to %s@%s: %w", host.User, host.addr(), err)
	}
	defer login.Close()
	stop := context.AfterFunc(ctx, func() { _ = login.Close() })
	defer stop()
	stdout, stderr, exit, err = runThrough(login, command)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("running %s on %s: %w", clean(argv[0], 100), host.addr(), err)
	}
	return stdout, stderr, exit, nil
}

// logIn makes a connection of its own: that of an engine's tunnel lives longer.
func logIn(ctx context.Context, host hostAddress, o ConnectOptions) (*ssh.Client, error) {
	t, err := newTunnel(host, o, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host.addr())
	if err != nil {
		return nil, fmt.Errorf("%w\ncorrect the host, or open its SSH port to this job", err)
	}
	client, err := t.shake(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return client, nil
}

// runThrough runs a command line in a session of its own. A stream that nobody reads
// any more would hold the program up for ever, so that ends the connection.
func runThrough(login *ssh.Client, command string) (stdout, stderr []byte, exit int, err error) {
	session, err := login.NewSession()
	if err != nil {
		return nil, nil, 0, err
	}
	defer session.Close()
	var out, errs head
	session.Stdout, session.Stderr = orClose{&out, login}, orClose{&errs, login}
	err = session.Run(command)
	if over := cmp.Or(out.err, errs.err); over != nil {
		return nil, nil, 0, over
	}
	if ended, ok := errors.AsType[*ssh.ExitError](err); ok && ended.Signal() == "" {
		return out.data, errs.data, ended.ExitStatus(), nil
	}
	if err != nil {
		return nil, nil, 0, errors.New(clean(err.Error(), 500)) // the name of a signal is the server's
	}
	return out.data, errs.data, 0, nil
}

// orClose writes, and closes the connection when that fails.
type orClose struct {
	io.Writer
	conn io.Closer
}

func (w orClose) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		_ = w.conn.Close()
	}
	return n, err
}

// shellWords quotes words for a shell: between single quotes nothing means anything
// but the quote itself. Source: POSIX.1-2024, Shell Command Language, 2.2.2.
func shellWords(argv []string) (string, error) {
	if len(argv) == 0 {
		return "", errors.New("there is no command to run")
	}
	words := make([]string, len(argv))
	for i, word := range argv {
		if strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", fmt.Errorf("the word %q of a command has control characters", clean(word, 100))
		}
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(words, " "), nil
}
