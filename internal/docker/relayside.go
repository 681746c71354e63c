package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// This file is the half of the relay that runs on the engine's side, inside a
// helper container. It is all that the helper executes.

// RelayLifetime is how long a helper container lives at most, whatever happens to
// the run that started it.
const RelayLifetime = 2 * time.Hour

// After one side of a relayed connection has ended, the other may still finish
// for so long.
const relayLinger = 30 * time.Second

// RelayWait keeps a helper container alive: until stdin ends, which it does when
// the run that started the helper is gone, and no longer than RelayLifetime.
func RelayWait(ctx context.Context, stdin io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, RelayLifetime)
	defer cancel()
	ended := make(chan error, 1)
	go func() { // ends with the process: a read of stdin cannot be interrupted
		_, err := io.Copy(io.Discard, stdin)
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// relayPatience is how long somebody may take to accept a relayed connection. It is
// well below the time that a relay as a whole is given: that nobody answers in there,
// and not that an engine is slow, has to be what is said.
const relayPatience = 5 * time.Second

// Relay connects to addr ("host:port") and joins the connection with stdin and
// stdout. Before anything else it writes one line that says how the connecting
// went: "ok", "refused: <why>", "lost: <why>" when nobody answered, or "failed: <why>".
func Relay(ctx context.Context, stdin io.Reader, stdout io.Writer, addr string) error {
	conn, err := (&net.Dialer{Timeout: relayPatience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		_, _ = io.WriteString(stdout, relayAnswer(err)+"\n")
		return fmt.Errorf("relaying to %s: %w", addr, err)
	}
	defer conn.Close()
	if _, err := io.WriteString(stdout, relayOK+"\n"); err != nil {
		return fmt.Errorf("relaying to %s: %w", addr, err)
	}
	go func() { // ends with the process: a read of stdin cannot be interrupted
		_, _ = io.Copy(conn, stdin)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		_ = conn.SetReadDeadline(time.Now().Add(relayLinger))
	}()
	_, err = io.Copy(stdout, conn)
	return err
}

// The relay's first line.
const (
	relayOK      = "ok"
	relayRefused = "refused: "
	relayLost    = "lost: "
	relayFailed  = "failed: "
)

func relayAnswer(err error) string {
	word := relayFailed
	var (
		dns *net.DNSError
		op  *net.OpError
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		word = relayRefused
	case errors.As(err, &op) && op.Timeout() && !errors.As(err, &dns):
		word = relayLost
	}
	return word + clean(err.Error(), 400)
}

// relayError turns the relay's first line back into an error; nil for "ok".
func relayError(addr, line string) error {
	words := clean(line, 500)
	cause := error(nil)
	switch {
	case words == relayOK:
		return nil
	case strings.HasPrefix(words, relayRefused):
		cause = syscall.ECONNREFUSED
	case strings.HasPrefix(words, relayLost):
		cause = syscall.ETIMEDOUT
	case strings.HasPrefix(words, relayFailed):
		cause = errors.New(strings.TrimPrefix(words, relayFailed))
	default:
		return fmt.Errorf("the relay to %s answers %q", addr, words)
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: streamAddr(addr), Err: cause}
}
