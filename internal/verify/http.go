package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// maxBody bounds what is read of an answer. The largest one looked at, the model
// definitions, has some ten kilobytes.
const maxBody = 1 << 20

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// visitor makes requests to one address. It never follows a redirect, and sends
// no cookies and no credentials.
type visitor struct {
	address   string // "https://gateway.example.com", without a trailing slash
	via       string // the road in words
	front     bool   // the address is gateway.url, and not the gateway's own
	agent     string
	client    *http.Client
	transport *http.Transport
	patience  time.Duration // for one answer
}

// visitFront goes where GitLab goes: through the proxy, if one is set.
func (g *Gate) visitFront() *visitor {
	v := g.visit(g.o.GatewayURL, g.base.DialContext, requestTimeout)
	v.front, v.via = true, "gateway.url"
	return v
}

// visitOwn goes to the gateway itself, never through a proxy. The certificate of a
// gateway that does its own TLS is for the name its users know.
func (g *Gate) visitOwn(road upgrade.Endpoint) *visitor {
	v := g.visit(road.HTTP, road.Dial, requestTimeout)
	v.via = road.Via
	v.transport.Proxy = nil
	if u, err := url.Parse(g.o.GatewayURL); err == nil && strings.HasPrefix(road.HTTP, "https:") {
		if v.transport.TLSClientConfig == nil {
			v.transport.TLSClientConfig = new(tls.Config)
		}
		v.transport.TLSClientConfig.ServerName = u.Hostname()
	}
	return v
}

// visit prepares visits that give a connection most of the patience for an answer.
func (g *Gate) visit(address string, dial dialFunc, patience time.Duration) *visitor {
	t := g.base.Clone()
	t.DialContext = marked(dial, patience-2*time.Second)
	t.OnProxyConnectResponse = func(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
		if answer.StatusCode != http.StatusOK {
			return &proxyError{host: proxy.Host, status: answer.Status}
		}
		return nil
	}
	return &visitor{
		address:   strings.TrimRight(address, "/"),
		agent:     g.o.UserAgent,
		transport: t,
		patience:  patience,
		client: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// marked bounds the opening of connections, and marks the errors that happen there
// as dialErrors. A nil dial is plain TCP from here. The bound is shorter than that
// of the request: which of the two ran out tells "no road" from "no answer".
func marked(dial dialFunc, within time.Duration) dialFunc {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, &dialError{err}
		}
		return conn, nil
	}
}

// dialError is a connection that could not be opened.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// proxyError is a proxy that did not let us through.
type proxyError struct{ host, status string }

func (e *proxyError) Error() string { return fmt.Sprintf("proxy %s: %s", e.host, e.status) }

// answer is a response, read to its end or to maxBody.
type answer struct {
	*http.Response
	body []byte
}

// get asks for path, with extra headers given as pairs of name and value.
func (v *visitor) get(ctx context.Context, path string, headers ...string) (*answer, error) {
	return v.fetch(ctx, v.address+path, headers...)
}

// fetch asks for a whole address.
func (v *visitor) fetch(ctx context.Context, address string, headers ...string) (*answer, error) {
	return v.do(ctx, http.MethodGet, address, nil, headers...)
}

// do makes a request.
func (v *visitor) do(ctx context.Context, method, address string, body io.Reader, headers ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, v.patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", v.agent)
	req.Header.Set("Accept", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.client.Do(req)
	if err != nil {
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err // the address is said elsewhere
		}
		return nil, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return &answer{Response: resp, body: read}, nil
}

// String is what was answered, in a few words.
func (a *answer) String() string {
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	text := fmt.Sprintf("%d", a.StatusCode)
	if kind = strings.TrimSpace(kind); kind != "" {
		text += " " + short(kind, 40)
	}
	if where := a.Header.Get("Location"); where != "" {
		text += " to " + short(where, 80)
	}
	if len(a.body) > 0 {
		text += fmt.Sprintf(" %q", short(strings.TrimSpace(string(a.body)), 80))
	}
	return text
}

// String is the address, and the road to it.
func (v *visitor) String() string {
	if v.via == "" {
		return v.address
	}
	return v.address + " (" + v.via + ")"
}

// proxied reports whether requests go through a proxy.
func (v *visitor) proxied() bool {
	if v.transport.Proxy == nil {
		return false
	}
	req, err := http.NewRequest(http.MethodGet, v.address, nil)
	if err != nil {
		return false
	}
	proxy, err := v.transport.Proxy(req)
	return err == nil && proxy != nil
}

// rest closes the connections that nobody uses, so that the next look opens new ones.
func (v *visitor) rest() { v.transport.CloseIdleConnections() }

// close ends the visits. It is safe on a visitor that was never made.
func (v *visitor) close() {
	if v != nil {
		v.rest()
	}
}

// short is text of unknown origin on one line, at most n bytes of it.
func short(s string, n int) string { return secret.Line(s, n) }
