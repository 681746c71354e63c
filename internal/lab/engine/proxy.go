package engine

import (
	"context"
	"io"
	"net"
	"sync"
)

// proxy passes the connections of one host port to a container, as Docker's
// userland proxy does. It does not look at what it carries.
type proxy struct {
	listener net.Listener
	target   string
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

func newProxy(ctx context.Context, l net.Listener, target string) *proxy {
	ctx, cancel := context.WithCancel(ctx)
	p := &proxy{listener: l, target: target, cancel: cancel}
	p.work.Go(func() { p.accept(ctx) })
	return p
}

func (p *proxy) port() uint16 { return uint16(p.listener.Addr().(*net.TCPAddr).Port) }

func (p *proxy) accept(ctx context.Context) {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.work.Go(func() { p.carry(ctx, conn) })
	}
}

// carry connects one client. While the program does not listen yet, the client
// sees its connection closed.
func (p *proxy) carry(ctx context.Context, client net.Conn) {
	defer client.Close()
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	hangUp := context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})
	defer hangUp()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{server, client}, {client, server}} {
		both.Go(func() {
			io.Copy(pair[0], pair[1])
			if c, ok := pair[0].(*net.TCPConn); ok {
				c.CloseWrite()
			}
		})
	}
	both.Wait()
}

// closeProxies frees host ports, and ends the connections through them.
func closeProxies(proxies []*proxy) {
	for _, p := range proxies {
		p.cancel()
		p.listener.Close()
	}
	for _, p := range proxies {
		p.work.Wait()
	}
}
