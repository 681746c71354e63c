package docker

import (
	"fmt"
	"net"
	"sync/atomic"
)

// maxAnswer bounds what the engine may send for one request. The largest honest
// answer is the progress of a pull: some hundred bytes for each half megabyte of
// image.
const maxAnswer = 256 << 20

// bounded is a connection whose other side may answer each request only with so
// much. A request begins with a write.
type bounded struct {
	net.Conn
	read atomic.Int64
}

func (b *bounded) Write(p []byte) (int, error) {
	b.read.Store(0)
	return b.Conn.Write(p)
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if b.read.Add(int64(n)) > maxAnswer {
		return 0, fmt.Errorf("the engine's answer is larger than %d MiB", maxAnswer>>20)
	}
	return n, err
}

// CloseWrite ends our half of the connection. Attached streams need it to end a
// program's standard input.
func (b *bounded) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
