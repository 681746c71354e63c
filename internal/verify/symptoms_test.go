package verify

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/upgrade"
)

// patient is a symptom, before it is shown to the gate.
type patient struct {
	*stub
	options Options
	subject upgrade.Subject
	lookup  func(context.Context, string) ([]string, error)
	public  *x509.CertPool
}

// sick judges a healthy gateway of 18.3 to which symptom happened.
func sick(t *testing.T, symptom func(*patient)) map[string]upgrade.Check {
	t.Helper()
	p := &patient{stub: serve(t, gatewayAPI(nil)), options: quick(), subject: upgrade.Subject{Image: image(before)}}
	symptom(p)
	if p.subject.Gateway == nil {
		p.subject.Gateway = p.stub
	}
	g := New(p.options)
	g.public = func() *x509.CertPool { return p.public }
	if p.lookup != nil {
		g.lookup = p.lookup
	}
	return judge(t, g, p.subject)
}

// answering is a gateway that answers something else on one path.
func answering(path string, h http.HandlerFunc) func(*testing.T) map[string]upgrade.Check {
	return func(t *testing.T) map[string]upgrade.Check {
		return sick(t, func(p *patient) {
			p.stub = serve(t, gatewayAPI(map[string]http.HandlerFunc{path: h}))
			p.subject.Image = image(since)
		})
	}
}

// inState is a process in some state, with a last word in its log.
func inState(s upgrade.State, log ...string) func(*testing.T) map[string]upgrade.Check {
	return func(t *testing.T) map[string]upgrade.Check {
		return sick(t, func(p *patient) {
			p.state = func(context.Context) (upgrade.State, error) { return s, nil }
			p.logs = func(context.Context) ([]string, error) { return log, nil }
		})
	}
}

// atURL is a gateway.url whose connections end as open says.
func atURL(address string, transport func(*testing.T) *http.Transport) func(*testing.T) map[string]upgrade.Check {
	return func(t *testing.T) map[string]upgrade.Check {
		return sick(t, func(p *patient) {
			p.options.GatewayURL, p.options.Transport = address, transport(t)
			p.lookup = func(context.Context, string) ([]string, error) { return []string{"192.0.2.7"}, nil }
		})
	}
}

func broken(err error) func(*testing.T) *http.Transport {
	return func(*testing.T) *http.Transport {
		return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
}

func leadsTo(h http.Handler) func(*testing.T) *http.Transport {
	return func(t *testing.T) *http.Transport {
		addr := strings.TrimPrefix(newServer(t, h), "http://")
		return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}}
	}
}

func newServer(t *testing.T, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// certified is gateway.url with TLS, by an authority that is known here or not.
func certified(name string, until time.Duration, trusted bool) func(*testing.T) map[string]upgrade.Check {
	return func(t *testing.T) map[string]upgrade.Check {
		a, b := newAuthority(t), newAuthority(t)
		if trusted {
			b = a
		}
		addr := serveTLS(t, a.sign(t, name, time.Now().Add(until)), gatewayAPI(nil))
		return atURL("https://"+host, func(*testing.T) *http.Transport { return b.trust(addr) })(t)
	}
}

// onGRPC is a gateway of 18.4 with something on its gRPC port.
func onGRPC(listen func(*testing.T) string, dialErr error) func(*testing.T) map[string]upgrade.Check {
	return func(t *testing.T) map[string]upgrade.Check {
		return sick(t, func(p *patient) {
			addr := listen(t)
			p.subject.Image = image(since)
			p.stub = at(upgrade.Endpoint{HTTP: newServer(t, gatewayAPI(nil)), GRPC: addr, Dial: func(ctx context.Context, network, to string) (net.Conn, error) {
				if to == addr && dialErr != nil {
					return nil, dialErr
				}
				return new(net.Dialer).DialContext(ctx, network, to)
			}})
		})
	}
}

// toGitLab is a gateway whose connections to its GitLab end as err says, or lead
// to h by plain HTTP.
func toGitLab(address string, err error, h http.Handler) func(*testing.T) map[string]upgrade.Check {
	return func(t *testing.T) map[string]upgrade.Check {
		return sick(t, func(p *patient) {
			p.options.GitLabURL = address
			p.dialFrom = func(ctx context.Context, _ string) (net.Conn, error) { return nil, err }
			if h != nil {
				addr := strings.TrimPrefix(newServer(t, h), "http://")
				p.dialFrom = func(ctx context.Context, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", addr)
				}
			}
		})
	}
}

// trusting is a stub that tells what it trusts.
type trusting struct {
	*stub
	bundles map[string][]byte
	err     error
}

func (g trusting) Authorities(context.Context) (map[string][]byte, error) { return g.bundles, g.err }

// toGitLabTLS is a gateway whose GitLab has a certificate of an authority that this
// job knows. What the gateway trusts is told by bundles, given that authority's PEM.
func toGitLabTLS(name string, until time.Duration, bundles func(pem []byte) map[string][]byte) func(*testing.T) map[string]upgrade.Check {
	return func(t *testing.T) map[string]upgrade.Check {
		a := newAuthority(t)
		addr := serveTLS(t, a.sign(t, name, time.Now().Add(until)), gitlab(keysURL))
		return sick(t, func(p *patient) {
			p.options.GitLabURL, p.options.Transport = gitlabURL, a.trust("")
			p.dialFrom = func(ctx context.Context, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", addr)
			}
			p.public = x509.NewCertPool()
			p.public.AddCert(newAuthority(t).cert) // the web's, and not a's
			if bundles != nil {
				own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
				p.subject.Gateway = trusting{stub: p.stub, bundles: bundles(own)}
			}
		})
	}
}

// held is a gateway on a clock of its own, with a hold.
func held(symptom func(*scene)) func(*testing.T) map[string]upgrade.Check {
	return func(t *testing.T) (checks map[string]upgrade.Check) {
		play(t, always(nil), func(t *testing.T, s *scene) {
			symptom(s)
			checks = judge(t, New(options()), s.subject())
		})
		return checks
	}
}

func gitlabWith(keys string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(discoveryPath, respond(200, "application/json", `{"jwks_uri":"http://gitlab.example.com/keys"}`))
	mux.HandleFunc("/keys", respond(200, "application/json", keys))
	return mux
}
