package road

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Conn is a connection with working deadlines over a stream that has none: one of a
// port-forward, a channel of an SSH connection, or a program's input and output. Between
// the two is a pipe in memory, which the deadlines belong to.
type Conn struct {
	net.Conn // our end of the pipe
	stream   io.Closer
	remote   Addr
	copies   sync.WaitGroup
	once     sync.Once

	mu     sync.Mutex
	broken error // why the stream ended, when it was not by itself
}

// NewConn takes a stream over: closing the connection closes it. An error of the
// stream's Read is the error of the connection's. A stream with a CloseWrite can be
// half closed.
func NewConn(stream io.ReadWriteCloser, remote string) *Conn {
	near, far := net.Pipe()
	c := &Conn{Conn: near, stream: stream, remote: Addr(remote)}
	c.copies.Go(func() {
		if _, err := io.Copy(far, stream); !errors.Is(err, io.ErrClosedPipe) {
			c.mu.Lock()
			c.broken = err
			c.mu.Unlock()
		}
		_ = far.Close() // the reader sees the end of the stream
	})
	c.copies.Go(func() {
		_, _ = io.Copy(stream, far)
		if half, ok := stream.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	})
	return c
}

func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.why(err)
}

func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.why(err)
}

// why is the stream's own error instead of a pipe's end.
func (c *Conn) why(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.broken != nil {
			return c.broken
		}
	}
	return err
}

// closeTimeout is how long closing waits for a network that takes nothing any more.
const closeTimeout = 5 * time.Second

// Close closes the stream and waits until nothing moves any more.
func (c *Conn) Close() error {
	err := error(nil)
	c.once.Do(func() {
		_ = c.Conn.Close()
		closed := make(chan error, 1)
		go func() {
			err := c.stream.Close()
			c.copies.Wait()
			closed <- err
		}()
		select {
		case err = <-closed:
		case <-time.After(closeTimeout):
			err = errors.New("the connection does not end: the network takes nothing any more")
		}
	})
	return err
}

// RemoteAddr is where the stream leads.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Addr is where a stream leads, in words.
type Addr string

// Network is what it leads over.
func (Addr) Network() string { return "stream" }

// String is the words.
func (a Addr) String() string { return string(a) }
