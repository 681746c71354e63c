package docker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/moby/moby/client"
)

// ConnectOptions say where an engine is and who may talk to it. Nothing is read
// from the environment.
type ConnectOptions struct {
	// Host is the engine's address as in DOCKER_HOST: unix:///path,
	// tcp://host[:port] or ssh://user@host[:port][/path/to/socket]. Empty is
	// unix:///var/run/docker.sock.
	Host string

	// CertPath is a directory with ca.pem, cert.pem and key.pem for TLS, as in
	// DOCKER_CERT_PATH. TLSVerify is DOCKER_TLS_VERIFY: without it the engine's
	// certificate is not checked. TLS is used when either is set.
	CertPath  string
	TLSVerify bool

	// APIVersion fixes the API version, as DOCKER_API_VERSION does. Empty
	// negotiates it, which is what an engine newer or older than this program needs.
	APIVersion string

	// KnownHosts are OpenSSH known_hosts files. An SSH host whose key is in none of
	// them is refused. Files that do not exist are passed over.
	KnownHosts []string
	// SSHAgent is the socket of an SSH agent, as in SSH_AUTH_SOCK; SSHKeys are
	// private key files without a passphrase, tried after the agent's keys. Files
	// that do not exist are passed over.
	SSHAgent string
	SSHKeys  []string

	// Executable is a static Linux executable of this program for the engine's
	// architecture. It is copied to the engine when no other road leads to a
	// gateway. Empty: that road is not taken.
	Executable string
	// Run names this run on what it makes: a job URL, or user@host.
	Run string

	UserAgent string
	Log       *slog.Logger // nil: discard
}

// Engine is a connection to one Docker Engine. It is safe for concurrent use.
type Engine struct {
	api        *client.Client
	host       hostAddress
	dial       dialFunc // to the engine
	tunnel     *tunnel  // nil unless the engine is reached through SSH
	executable string
	run        string
	log        *slog.Logger

	mu     sync.Mutex
	relays map[string]*relay // by the ID of the container whose network they share
}

// dialFunc opens a connection to a fixed place.
type dialFunc func(ctx context.Context) (net.Conn, error)

// How long to wait for an engine to take a connection, and to answer the first
// question. An engine under load takes seconds, a wrong address takes for ever.
const (
	dialTimeout = 10 * time.Second
	pingTimeout = 20 * time.Second
)

// Connect finds the engine and makes sure that it answers. The error of an engine
// that does not says why, and what to do.
func Connect(ctx context.Context, o ConnectOptions) (*Engine, error) {
	host, err := parseHost(o.Host, o.CertPath != "" || o.TLSVerify)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		host:       host,
		executable: o.Executable,
		run:        o.Run,
		log:        o.Log,
		relays:     make(map[string]*relay),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if err := e.chooseDial(o); err != nil {
		return nil, err
	}
	if err := e.open(o); err != nil {
		return nil, err
	}
	if err := e.hello(ctx); err != nil {
		_ = e.Close(ctx)
		return nil, unreachable(host, err)
	}
	return e, nil
}

// chooseDial chooses how connections to the engine are made.
func (e *Engine) chooseDial(o ConnectOptions) (err error) {
	switch e.host.Scheme {
	case "unix":
		e.dial = plain("unix", e.host.Socket)
	case "tcp":
		e.dial = plain("tcp", e.host.addr())
		if o.CertPath != "" || o.TLSVerify {
			e.dial, err = withTLS(e.dial, e.host.Host, o.CertPath, o.TLSVerify)
		}
		if !o.TLSVerify {
			e.log.Warn("the connection to the Docker Engine does not prove who is at the other end: anyone on the way can take over its host; set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH", "engine", e.host)
		}
	case "ssh":
		e.tunnel, err = newTunnel(e.host, o, e.log)
		if err == nil {
			e.dial = func(ctx context.Context) (net.Conn, error) { return e.tunnel.dial(ctx, "unix", e.host.Socket) }
		}
	}
	return err
}

func plain(network, addr string) dialFunc {
	return func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
	}
}

// open makes the API client. All of its connections, also those it takes over
// from HTTP for attached streams, go through e.dial; TLS, where there is any, is
// inside it, so the client sees plain HTTP and no proxy comes in between.
func (e *Engine) open(o ConnectOptions) error {
	options := []client.Opt{
		client.WithHost(e.host.library()),
		client.WithHTTPClient(&http.Client{
			CheckRedirect: client.CheckRedirect,
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					conn, err := e.dial(ctx)
					if err != nil {
						return nil, err
					}
					return &bounded{Conn: conn}, nil
				},
				DisableCompression: true,
				MaxIdleConns:       6,
				IdleConnTimeout:    30 * time.Second,
			},
		}),
		client.WithScheme("http"),
		client.WithAPIVersion(o.APIVersion),
	}
	if o.UserAgent != "" {
		options = append(options, client.WithUserAgent(o.UserAgent))
	}
	api, err := client.New(options...)
	if err != nil {
		return fmt.Errorf("setting up the connection to the Docker Engine at %s: %w", e.host, err)
	}
	e.api = api
	return nil
}

// hello dials once by itself, because the client library replaces the reason for
// a failed connection with a sentence of its own, and then asks the first question.
func (e *Engine) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	conn, err := e.dial(ctx)
	if err != nil {
		return err
	}
	_ = conn.Close()
	_, err = e.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	return err
}

// Close ends the connection and removes this run's helper containers. ctx bounds
// the removal.
func (e *Engine) Close(ctx context.Context) error {
	err := e.closeRelays(ctx)
	if e.api != nil {
		_ = e.api.Close()
	}
	if e.tunnel != nil {
		e.tunnel.close()
	}
	return err
}

// Host is the engine's address, for messages.
func (e *Engine) Host() string { return e.host.String() }

// Local reports whether the engine is reached through a unix socket: it runs on
// this machine, or this process runs in a container on the engine's machine.
func (e *Engine) Local() bool { return e.host.Scheme == "unix" }

// Platform is what the engine runs, as an image index names it: "linux/amd64".
func (e *Engine) Platform(ctx context.Context) (string, error) {
	v, err := e.api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return "", e.explain("reading the version of the Docker Engine at "+e.host.String(), err)
	}
	if !isPlatformWord(v.Os) || !isPlatformWord(v.Arch) {
		return "", fmt.Errorf("the Docker Engine at %s does not say what it runs (system %q, architecture %q): set image.platform", e.host, clean(v.Os, 40), clean(v.Arch, 40))
	}
	return v.Os + "/" + v.Arch, nil
}

// isPlatformWord reports whether s can be an operating system or architecture as
// Go names them, which is what the OCI image specification asks for.
func isPlatformWord(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 20
}
