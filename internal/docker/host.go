package docker

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
)

const (
	defaultHost   = "unix:///var/run/docker.sock"
	defaultSocket = "/var/run/docker.sock"
	// maxSocketPath is the longest name of a unix socket on Linux: sun_path
	// without its final zero, unix(7).
	maxSocketPath = 107
)

// hostAddress is an engine's address, as DOCKER_HOST has it.
type hostAddress struct {
	Scheme string // "unix", "tcp" or "ssh"
	User   string // ssh only
	Host   string // tcp and ssh: without port
	Port   string // tcp and ssh
	Socket string // unix and ssh: the engine's socket
}

// parseHost reads an engine's address: unix:///path, tcp://host[:port],
// ssh://user@host[:port][/path]. Empty is Docker's default socket. An address
// with a password is refused: it would end up in logs and process lists.
func parseHost(s string, tls bool) (hostAddress, error) {
	if s == "" {
		s = defaultHost
	}
	if len(s) > 1024 {
		return hostAddress{}, errors.New("the engine's address is longer than 1024 bytes")
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return hostAddress{}, fmt.Errorf("engine address %q has no scheme: write DOCKER_HOST as unix:///path, tcp://host:port or ssh://user@host", clean(s, 200))
	}
	if scheme == "unix" {
		return parseUnix(rest)
	}
	u, err := url.Parse(s)
	if err != nil {
		// The cause of the library repeats the address, which may hold a password.
		return hostAddress{}, fmt.Errorf("engine address of scheme %q cannot be read: write %s://host:port", clean(scheme, 20), clean(scheme, 20))
	}
	if _, has := u.User.Password(); has {
		return hostAddress{}, fmt.Errorf("engine address %s holds a password: use a key, or an agent", u.Redacted())
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return hostAddress{}, fmt.Errorf("engine address %s has a query: write %s://host:port", u.Redacted(), u.Scheme)
	}
	switch scheme {
	case "tcp":
		return parseTCP(u, tls)
	case "ssh":
		return parseSSH(u)
	}
	return hostAddress{}, fmt.Errorf("engine address %s has an unknown scheme: write DOCKER_HOST as unix:///path, tcp://host:port or ssh://user@host", u.Redacted())
}

func parseUnix(socket string) (hostAddress, error) {
	if err := checkSocket(socket); err != nil {
		return hostAddress{}, err
	}
	return hostAddress{Scheme: "unix", Socket: socket}, nil
}

// parseTCP adds the ports that IANA registered for the engine: 2375 without and
// 2376 with TLS.
func parseTCP(u *url.URL, tls bool) (hostAddress, error) {
	if u.User != nil || strings.Trim(u.Path, "/") != "" {
		return hostAddress{}, fmt.Errorf("engine address %s has more than host and port: write tcp://host:port", u.Redacted())
	}
	port := "2375"
	if tls {
		port = "2376"
	}
	return withPort(hostAddress{Scheme: "tcp", Host: u.Hostname(), Port: port}, u)
}

func parseSSH(u *url.URL) (hostAddress, error) {
	h := hostAddress{Scheme: "ssh", User: u.User.Username(), Host: u.Hostname(), Port: "22", Socket: defaultSocket}
	if h.User == "" {
		return hostAddress{}, fmt.Errorf("engine address %s names no user: write ssh://user@host", u.Redacted())
	}
	if u.Path != "" && u.Path != "/" {
		h.Socket = u.Path
	}
	if err := checkSocket(h.Socket); err != nil {
		return hostAddress{}, err
	}
	return withPort(h, u)
}

func withPort(h hostAddress, u *url.URL) (hostAddress, error) {
	if h.Host == "" {
		return hostAddress{}, fmt.Errorf("engine address %s names no host", u.Redacted())
	}
	if p := u.Port(); p != "" {
		h.Port = p
	}
	if n, err := strconv.ParseUint(h.Port, 10, 16); err != nil || n == 0 {
		return hostAddress{}, fmt.Errorf("engine address %s has no valid port", u.Redacted())
	}
	return h, nil
}

func checkSocket(socket string) error {
	switch {
	case !path.IsAbs(socket):
		return fmt.Errorf("engine socket %q is no absolute path: write unix:///var/run/docker.sock", clean(socket, 200))
	case len(socket) > maxSocketPath:
		return fmt.Errorf("engine socket %q is longer than %d bytes", clean(socket, 200), maxSocketPath)
	case strings.ContainsRune(socket, 0):
		return errors.New("the engine's socket has a zero byte in its name")
	}
	return nil
}

func (h hostAddress) addr() string { return net.JoinHostPort(h.Host, h.Port) }

// String is the address as a person writes it.
func (h hostAddress) String() string {
	switch h.Scheme {
	case "unix":
		return "unix://" + h.Socket
	case "tcp":
		return "tcp://" + h.addr()
	}
	s := "ssh://" + h.User + "@" + h.addr()
	if h.Socket != defaultSocket {
		s += h.Socket
	}
	return s
}

// library is the address in the form the engine's client library takes. It only
// uses it for the Host header and in its own messages; connections are ours.
func (h hostAddress) library() string {
	if h.Scheme == "unix" {
		return h.String()
	}
	return "tcp://" + h.addr()
}
