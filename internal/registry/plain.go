package registry

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
)

// plain falls back from TLS to plain HTTP for registries on this machine and on
// private addresses, where laboratories and test instances run without certificates.
// The peer must have shown that it speaks no TLS: by an HTTP answer to the handshake,
// or by nobody listening. A certificate that does not verify is never a reason.
type plain struct {
	base http.RoundTripper
	log  *slog.Logger

	mu    sync.Mutex
	hosts map[string]bool // those that speak plain HTTP
}

var _ http.RoundTripper = (*plain)(nil)

// plainAllowed is go-containerregistry's rule, the one that crane and ko users know:
// localhost with a port, *.localhost, 127.0.0.1, ::1, 10/8, 172.16/12, 192.168/16.
func plainAllowed(host string) bool {
	registry, err := name.NewRegistry(host)
	return err == nil && registry.Scheme() == "http"
}

// RoundTrip sends requests for https, over http where that is known to be needed.
func (p *plain) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Host
	if req.URL.Scheme != "https" || req.Body != nil || !plainAllowed(host) {
		return p.base.RoundTrip(req)
	}
	if p.known(host) {
		return p.base.RoundTrip(overHTTP(req))
	}
	resp, err := p.base.RoundTrip(req)
	switch {
	case answeredPlainly(err):
		p.learn(host)
		return p.base.RoundTrip(overHTTP(req))
	case errors.Is(err, syscall.ECONNREFUSED) && req.URL.Port() == "": // 80 instead of 443
		resp, again := p.base.RoundTrip(overHTTP(req))
		if again != nil {
			return nil, err
		}
		p.learn(host)
		return resp, nil
	}
	return resp, err
}

// answeredPlainly reports whether the peer took the handshake for a bad request.
func answeredPlainly(err error) bool {
	var header tls.RecordHeaderError
	return errors.As(err, &header) && string(header.RecordHeader[:]) == "HTTP/"
}

func overHTTP(req *http.Request) *http.Request {
	req = req.Clone(req.Context())
	req.URL.Scheme = "http"
	return req
}

func (p *plain) known(host string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hosts[host]
}

func (p *plain) learn(host string) {
	p.log.Warn("the registry speaks plain HTTP: whatever is sent to it can be read on the way", "registry", host)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hosts == nil {
		p.hosts = make(map[string]bool)
	}
	p.hosts[host] = true
}
