// Package transport is the one road to the network: every request this program
// makes to GitLab, to a registry or to a gateway travels on a transport made
// here, so that certificate authorities, proxies, timeouts and retries are
// decided once.
//
// The pieces are plain [http.RoundTripper] values, stacked from the inside out:
//
//	base, err := transport.New(transport.Options{CAs: cas, Proxy: http.ProxyFromEnvironment})
//	counter := &transport.Counter{Base: &transport.Steady{Base: &transport.Agent{Base: base, Name: "aigw-ci/1.0"}}}
//	client := &http.Client{Transport: &transport.Retry{Base: counter, Log: log}}
//
// With the counter inside the retries, a second attempt is counted as the second
// request that it is.
package transport

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Each step towards an answer has a bound of its own, so that a silent peer is
// noticed also by a caller that set no deadline. Bodies have none here: a large blob
// on a slow line is not an error. See [Steady] for those that drip.
const (
	dialTimeout     = 10 * time.Second
	tlsTimeout      = 10 * time.Second
	headerTimeout   = 60 * time.Second
	keepAlive       = 30 * time.Second
	idleTimeout     = 90 * time.Second
	continueTimeout = 1 * time.Second
	maxHeaderBytes  = 256 << 10
)

// Options are what sites differ in.
type Options struct {
	// CAs are certificate authorities in PEM, one or more certificates each. They
	// are added to the system's, never put in their place.
	CAs [][]byte

	// UserAgent is what a proxy is told when a tunnel is asked of it (CONNECT). The
	// servers behind it are told by [Agent]: an http.Transport adds no headers.
	UserAgent string

	// Proxy chooses the proxy of a request; nil means that none is used.
	Proxy func(*http.Request) (*url.URL, error)
}

// New returns a transport with bounded timeouts, HTTP/2 and kept connections. An
// authority that cannot be read is an error that tells which one it is.
func New(o Options) (*http.Transport, error) {
	roots, err := authorities(o.CAs)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy:                  o.Proxy,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		ExpectContinueTimeout:  continueTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           16,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true, // a TLSClientConfig of our own turns it off otherwise
	}
	if o.UserAgent != "" {
		t.ProxyConnectHeader = http.Header{"User-Agent": {o.UserAgent}}
	}
	return t, nil
}

// authorities returns the system's certificate authorities and those in bundles;
// nil, which means the system's alone, when there are no bundles.
func authorities(bundles [][]byte) (*x509.CertPool, error) {
	if len(bundles) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificate authorities: %w", err)
	}
	for i, bundle := range bundles {
		if err := add(pool, bundle); err != nil {
			return nil, fmt.Errorf("certificate authority %d of %d: %w", i+1, len(bundles), err)
		}
	}
	return pool, nil
}

// add adds every certificate of bundle. The standard library's own way skips what
// it cannot read, which later shows up as a certificate error far from its cause.
func add(pool *x509.CertPool, bundle []byte) error {
	count := 0
	for rest := bundle; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		count++
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("PEM block %d is a %s, not a CERTIFICATE", count, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("certificate %d: %w", count, err)
		}
		pool.AddCert(cert)
	}
	if count == 0 {
		return fmt.Errorf("no PEM certificate in its %d bytes", len(bundle))
	}
	return nil
}

// Agent names this program in every request that does not name itself.
type Agent struct {
	Base http.RoundTripper
	Name string // "aigw-ci/1.4.0"
}

var _ http.RoundTripper = (*Agent)(nil)

// RoundTrip sends the request with a User-Agent header.
func (a *Agent) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, named := req.Header["User-Agent"]; !named && a.Name != "" {
		req = req.Clone(req.Context())
		if req.Header == nil {
			req.Header = make(http.Header)
		}
		req.Header.Set("User-Agent", a.Name)
	}
	return a.Base.RoundTrip(req)
}
