package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"aigw-ci/internal/road"
)

// tunnel is one SSH connection that carries everything else: the engine's API
// and, where it helps, connections to the gateway as seen from the engine's host.
// No program runs on either side for it; the server opens sockets on our behalf
// ("direct-streamlocal@openssh.com", openssh PROTOCOL 2.4, and "direct-tcpip",
// RFC 4254 section 7.2).
type tunnel struct {
	host  hostAddress
	login *sshLogin
	log   *slog.Logger

	mu     sync.Mutex
	client *ssh.Client // nil until the first dial, and after a connection broke
	closed bool
}

func newTunnel(host hostAddress, o ConnectOptions, log *slog.Logger) (*tunnel, error) {
	login, err := newSSHLogin(host, o)
	if err != nil {
		return nil, err
	}
	return &tunnel{host: host, login: login, log: log}, nil
}

// dial opens a connection from the SSH host to addr. A connection that broke, or
// does not answer any more, is made anew once.
func (t *tunnel) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	client, fresh, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := openThrough(ctx, client, network, addr)
	if err == nil || fresh || ctx.Err() != nil || answered(err) {
		return conn, err
	}
	t.log.Warn("the SSH connection broke and is made again", "host", t.host, "cause", err)
	t.drop(client)
	if client, _, err = t.connect(ctx); err != nil {
		return nil, err
	}
	return openThrough(ctx, client, network, addr)
}

// answered reports whether err is the server's own answer: the connection works,
// and it is the socket behind it that does not.
func answered(err error) bool {
	var open *ssh.OpenChannelError
	return errors.As(err, &open)
}

func openThrough(ctx context.Context, client *ssh.Client, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := client.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return road.NewConn(conn, addr), nil
}

// connect returns the connection, and whether this call made it.
func (t *tunnel) connect(ctx context.Context) (client *ssh.Client, fresh bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false, net.ErrClosed
	}
	if t.client != nil {
		return t.client, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.host.addr())
	if err != nil {
		return nil, false, fmt.Errorf("%w: correct the host in DOCKER_HOST, or open the SSH port to this job", err)
	}
	client, err = t.shake(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, false, err
	}
	t.client = client
	return client, true, nil
}

// shake is the SSH handshake and login. The library knows no context, so the
// connection is closed under it when ctx ends.
func (t *tunnel) shake(ctx context.Context, conn net.Conn) (*ssh.Client, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	config, done, err := t.login.config()
	if err != nil {
		return nil, err
	}
	defer done()
	c, channels, requests, err := ssh.NewClientConn(conn, t.host.addr(), config)
	if err != nil {
		return nil, t.login.explain(err)
	}
	if !stop() { // ctx ended while the last step of the handshake was done
		_ = c.Close()
		return nil, ctx.Err()
	}
	return ssh.NewClient(c, channels, requests), nil
}

// drop closes a connection that broke, unless somebody already made a new one.
func (t *tunnel) drop(client *ssh.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == client {
		_ = t.client.Close()
		t.client = nil
	}
}

func (t *tunnel) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.client != nil {
		_ = t.client.Close()
		_ = t.client.Wait()
		t.client = nil
	}
}
