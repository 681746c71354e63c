package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/upgrade"
)

const host = "gateway.example.com"

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func (a *authority) sign(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// trust is a transport that knows the authority, and finds every host at addr.
func (a *authority) trust(addr string) *http.Transport {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
}

func serveTLS(t *testing.T, cert tls.Certificate, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	known, unknown := newAuthority(t), newAuthority(t)
	year := time.Now().AddDate(1, 0, 0)
	plain := httptest.NewServer(gatewayAPI(nil))
	t.Cleanup(plain.Close)
	for _, tt := range []struct {
		name    string
		addr    string
		verdict upgrade.Verdict
		detail  string
		whole   upgrade.Verdict
	}{
		{"good", serveTLS(t, known.sign(t, host, year), gatewayAPI(nil)), upgrade.Pass, "valid until", upgrade.Pass},
		{"ends soon", serveTLS(t, known.sign(t, host, time.Now().Add(75*time.Hour)), gatewayAPI(nil)), upgrade.Warn, "in 3 days", upgrade.Pass},
		{"expired", serveTLS(t, known.sign(t, host, time.Now().Add(-time.Hour)), gatewayAPI(nil)), upgrade.Fail, "not valid today", upgrade.Fail},
		{"unknown authority", serveTLS(t, unknown.sign(t, host, year), gatewayAPI(nil)), upgrade.Fail, "authority that is not known here", upgrade.Fail},
		{"another name", serveTLS(t, known.sign(t, "www.example.com", year), gatewayAPI(nil)), upgrade.Fail, "www.example.com", upgrade.Fail},
		{"no TLS", plain.Listener.Addr().String(), upgrade.Fail, "not with TLS", upgrade.Fail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := quick()
			o.GatewayURL, o.Transport = "https://"+host, known.trust(tt.addr)
			g := New(o)
			g.lookup = func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }
			checks := judge(t, g, upgrade.Subject{Gateway: new(stub), Image: image(before)})
			want(t, checks, TLS, tt.verdict, tt.detail)
			want(t, checks, DNS, upgrade.Pass, "192.0.2.1")
			want(t, checks, "", tt.whole, "")
		})
	}
	t.Run("of the gateway itself, for the name of its users", func(t *testing.T) {
		t.Parallel()
		addr := serveTLS(t, known.sign(t, host, year), gatewayAPI(nil))
		o := quick()
		o.GatewayURL, o.Transport = "https://"+host, known.trust(addr)
		own := at(upgrade.Endpoint{HTTP: "https://" + addr})
		want(t, judge(t, New(o), upgrade.Subject{Stage: upgrade.Rehearsal, Gateway: own}), TLS, upgrade.Pass, "")
	})
}

func TestDNS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		url     string
		addrs   []string
		err     error
		verdict upgrade.Verdict
		detail  string
	}{
		{"known", "http://" + host, []string{"192.0.2.7"}, nil, upgrade.Pass, "192.0.2.7"},
		{"unknown", "http://" + host, nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}, upgrade.Fail, "does not exist"},
		{"nothing", "http://" + host, nil, nil, upgrade.Fail, "does not exist"},
		{"nobody answers", "http://" + host, nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}, upgrade.Inconclusive, "server misbehaving"},
		{"too slow", "http://" + host, nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}, upgrade.Inconclusive, "timeout"},
		{"no resolver", "http://" + host, nil, errors.New("no resolver"), upgrade.Inconclusive, "no resolver"},
		{"an address", "http://192.0.2.7:5052", nil, errors.New("not asked"), upgrade.Skip, "192.0.2.7"},
		{"a long address", "http://[2001:db8::7]:5052", nil, errors.New("not asked"), upgrade.Skip, "2001:db8::7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(gatewayAPI(nil))
			t.Cleanup(server.Close)
			o := quick()
			o.GatewayURL = tt.url
			o.Transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				if tt.verdict == upgrade.Fail || tt.verdict == upgrade.Inconclusive {
					return nil, &net.OpError{Op: "dial", Net: network, Err: errors.Join(tt.err, &net.DNSError{Name: host, IsNotFound: tt.verdict == upgrade.Fail})}
				}
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			}}
			g := New(o)
			g.lookup = func(_ context.Context, name string) ([]string, error) {
				if name != host {
					t.Errorf("looked %q up", name)
				}
				return tt.addrs, tt.err
			}
			checks := judge(t, g, upgrade.Subject{Gateway: new(stub), Image: image(before)})
			want(t, checks, DNS, tt.verdict, tt.detail)
			whole := tt.verdict
			if whole == upgrade.Skip {
				whole = upgrade.Pass
			}
			want(t, checks, "", whole, "")
		})
	}
}

// While the name does not exist, the gateway is looked at by its own address, where
// that is allowed; any other trouble with the name is still what it is.
func TestDetour(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		err     error
		dns     upgrade.Verdict
		verdict upgrade.Verdict
	}{
		{"no such name", &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}, upgrade.Warn, upgrade.Pass},
		{"nobody answers", &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}, upgrade.Inconclusive, upgrade.Inconclusive},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(gatewayAPI(nil))
			t.Cleanup(server.Close)
			o := quick()
			o.GatewayURL, o.Detour = "https://"+host, true
			o.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Err: tt.err}
			}}
			g := New(o)
			g.lookup = func(context.Context, string) ([]string, error) { return nil, tt.err }
			checks := judge(t, g, upgrade.Subject{Gateway: at(upgrade.Endpoint{HTTP: server.URL, Dial: new(net.Dialer).DialContext}), Image: image(before)})
			want(t, checks, DNS, tt.dns, host)
			want(t, checks, "", tt.verdict, "")
		})
	}
}

// What happens on the way to gateway.url, and whose doing it is.
func TestRoadToTheFront(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		err     error
		verdict upgrade.Verdict
		detail  string
	}{
		{"refused", syscall.ECONNREFUSED, upgrade.Fail, "nobody listens"},
		{"reset", syscall.ECONNRESET, upgrade.Fail, "nobody listens"},
		{"no route", syscall.EHOSTUNREACH, upgrade.Inconclusive, "no refusal either"},
		{"no network", syscall.ENETUNREACH, upgrade.Inconclusive, "no refusal either"},
		{"no packet back", syscall.ETIMEDOUT, upgrade.Inconclusive, "no refusal either"},
		{"no permission", syscall.EPERM, upgrade.Inconclusive, "no refusal either"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := quick()
			o.GatewayURL = "http://192.0.2.7"
			o.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: tt.err}
			}}
			checks := judge(t, New(o), upgrade.Subject{Gateway: new(stub), Image: image(before)})
			want(t, checks, Healthz, tt.verdict, tt.detail)
			want(t, checks, "", tt.verdict, "")
		})
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	known := newAuthority(t)
	behind := serveTLS(t, known.sign(t, host, time.Now().AddDate(1, 0, 0)), gatewayAPI(nil))
	through := func(status int) *http.Transport {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if status != http.StatusOK {
				w.WriteHeader(status)
				return
			}
			if r.Method != http.MethodConnect {
				gatewayAPI(nil).ServeHTTP(w, r)
				return
			}
			tunnel(t, w, behind)
		}))
		t.Cleanup(proxy.Close)
		u, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		transport := known.trust("")
		transport.DialContext, transport.Proxy = nil, http.ProxyURL(u)
		return transport
	}
	gone := through(200)
	gone.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})
	for _, tt := range []struct {
		name      string
		url       string
		transport *http.Transport
		verdict   upgrade.Verdict
		detail    string
	}{
		{"good", "https://" + host, through(200), upgrade.Pass, ""},
		{"good, without TLS", "http://" + host, through(200), upgrade.Pass, ""},
		{"not let through", "https://" + host, through(403), upgrade.Inconclusive, "403"},
		{"wants a password", "http://" + host, through(407), upgrade.Inconclusive, "the proxy answers"},
		{"does not reach it", "http://" + host, through(502), upgrade.Inconclusive, "the proxy answers"},
		{"down", "https://" + host, gone, upgrade.Inconclusive, "proxy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := quick()
			o.GatewayURL, o.Transport = tt.url, tt.transport
			g := New(o)
			g.lookup = func(context.Context, string) ([]string, error) { panic("the proxy looks names up") }
			checks := judge(t, g, upgrade.Subject{Gateway: new(stub), Image: image(before)})
			want(t, checks, Healthz, tt.verdict, tt.detail)
			want(t, checks, DNS, upgrade.Skip, "the proxy looks")
		})
	}
	t.Run("is not used for the gateway's own address", func(t *testing.T) {
		t.Parallel()
		o := quick()
		o.Transport = gone.Clone()
		own := serve(t, gatewayAPI(nil))
		want(t, judge(t, New(o), upgrade.Subject{Gateway: own}), Healthz, upgrade.Pass, "")
	})
}

// tunnel joins the connection of a CONNECT request to addr.
func tunnel(t *testing.T, w http.ResponseWriter, addr string) {
	out, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	in, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = in.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	go join(in, out)
	join(out, in)
}

func join(a, b net.Conn) {
	defer a.Close()
	defer b.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := b.Read(buf)
		if _, werr := a.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// No text of a check may carry what a server chose to send at length.
func TestAnswersAreCutShort(t *testing.T) {
	t.Parallel()
	own := serve(t, respond(500, strings.Repeat("x", 500), "\x1b[31m"+strings.Repeat("y", 5000)))
	detail := judge(t, New(quick()), upgrade.Subject{Gateway: own})[Healthz].Detail
	if len(detail) > 300 || strings.Contains(detail, "\x1b") {
		t.Errorf("detail of %d bytes: %q", len(detail), detail)
	}
}
