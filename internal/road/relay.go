package road

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// Lifetime is how long a helper container lives at most, whatever happens to
// the run that started it.
const Lifetime = 2 * time.Hour

// After one side of a relayed connection has ended, the other may still finish
// for so long.
const linger = 30 * time.Second

// Wait keeps a helper container alive: until stdin ends, which it does when
// the run that started the helper is gone, and no longer than Lifetime.
func Wait(ctx context.Context, stdin io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, Lifetime)
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

// patience is how long somebody may take to accept a relayed connection. It is
// well below the time that a relay as a whole is given: that nobody answers in there,
// and not that an engine is slow, has to be what is said.
const patience = 5 * time.Second

// Relay connects to addr ("host:port") and joins the connection with stdin and
// stdout. Before anything else it writes the FirstLine of how the connecting went.
func Relay(ctx context.Context, stdin io.Reader, stdout io.Writer, addr string) error {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		_, _ = io.WriteString(stdout, FirstLine(err))
		return fmt.Errorf("relaying to %s: %w", addr, err)
	}
	defer conn.Close()
	if _, err := io.WriteString(stdout, FirstLine(nil)); err != nil {
		return fmt.Errorf("relaying to %s: %w", addr, err)
	}
	go func() { // ends with the process: a read of stdin cannot be interrupted
		_, _ = io.Copy(conn, stdin)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		_ = conn.SetReadDeadline(time.Now().Add(linger))
	}()
	_, err = io.Copy(stdout, conn)
	return err
}
