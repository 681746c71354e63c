package docker

import (
	"io"
	"net"
	"sync"
)

// streamConn makes a connection with working deadlines out of a stream that has
// none: a channel of an SSH connection, or a program's input and output. Between
// the two is a pipe in memory, which the deadlines belong to.
type streamConn struct {
	net.Conn // our end of the pipe
	stream   io.Closer
	remote   streamAddr
	copies   sync.WaitGroup
	once     sync.Once
}

// newStreamConn takes the stream over: closing the connection closes it.
func newStreamConn(stream io.ReadWriteCloser, remote string) *streamConn {
	near, far := net.Pipe()
	c := &streamConn{Conn: near, stream: stream, remote: streamAddr(remote)}
	c.copies.Go(func() {
		_, _ = io.Copy(far, stream)
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

// Close closes the stream and waits until nothing moves any more.
func (c *streamConn) Close() error {
	var err error
	c.once.Do(func() {
		_ = c.Conn.Close()
		err = c.stream.Close()
		c.copies.Wait()
	})
	return err
}

func (c *streamConn) RemoteAddr() net.Addr { return c.remote }

// streamAddr is where a stream leads, in words.
type streamAddr string

func (streamAddr) Network() string  { return "stream" }
func (a streamAddr) String() string { return string(a) }
