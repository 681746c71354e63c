package kubernetes

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// streamConn makes a connection with working deadlines out of a stream that has
// none: one of a port-forward, or a program's input and output. Between the two is a
// pipe in memory, which the deadlines belong to.
type streamConn struct {
	net.Conn // our end of the pipe
	stream   io.Closer
	remote   streamAddr
	copies   sync.WaitGroup
	once     sync.Once

	mu     sync.Mutex
	broken error // why the stream ended, when it was not by itself
}

// newStreamConn takes the stream over: closing the connection closes it. An error of
// the stream's Read is the error of the connection's. A stream with a CloseWrite can
// be half closed.
func newStreamConn(stream io.ReadWriteCloser, remote string) *streamConn {
	near, far := net.Pipe()
	c := &streamConn{Conn: near, stream: stream, remote: streamAddr(remote)}
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

func (c *streamConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.why(err)
}

func (c *streamConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.why(err)
}

// why is the stream's own error instead of a pipe's end.
func (c *streamConn) why(err error) error {
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
func (c *streamConn) Close() error {
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

func (c *streamConn) RemoteAddr() net.Addr { return c.remote }

// streamAddr is where a stream leads, in words.
type streamAddr string

func (streamAddr) Network() string  { return "stream" }
func (a streamAddr) String() string { return string(a) }
