package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// What a gateway answers is from its sources (ai-assist, ai_gateway/api/server.py
// and its middleware) and from docs.gitlab.com/install/install_ai_gateway.

// unauthorized is the error of a gateway that wants a token and got none.
const unauthorized = "No authorization header presented"

// healthz wants 200 and the JSON object {}. /monitoring/ready is no alternative: it
// calls vendor models, which a self-hosted gateway does not have.
func healthz(v *visitor, got *answer, err error) upgrade.Check {
	if err != nil {
		return v.explain(err)
	}
	switch {
	case got.StatusCode == http.StatusProxyAuthRequired,
		v.proxied() && (got.StatusCode == http.StatusBadGateway || got.StatusCode == http.StatusGatewayTimeout):
		return unseen(fmt.Sprintf("the proxy answers, not the gateway: %s", got), gateway.ProxyInTheWay)
	case got.StatusCode != http.StatusOK:
		return fail(fmt.Sprintf("GET /monitoring/healthz: %s, and not 200 {}", got), wrongAnswer(v, got))
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(got.body, &body) != nil || body == nil || len(body) != 0 {
		return fail(fmt.Sprintf("GET /monitoring/healthz: %s, and not 200 {}: something else than a gateway answers", got), wrongAnswer(v, got))
	}
	return pass("200 {} from " + v.String())
}

func wrongAnswer(v *visitor, got *answer) gateway.DiagnosisID {
	switch {
	case got.StatusCode >= 300 && got.StatusCode < 400:
		return gateway.URLRedirects
	case v.front && got.StatusCode >= 500:
		return gateway.UpstreamUnreachable
	case v.front:
		return gateway.AnotherSiteAtURL
	default:
		return gateway.NotAGateway
	}
}

// auth wants the refusal that only a gateway with authentication gives. It shows
// both that this is a gateway and that it does not work for just anybody.
func auth(ctx context.Context, v *visitor) upgrade.Check {
	got, err := v.get(ctx, "/")
	if err != nil {
		return v.explain(err)
	}
	var body struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(got.body, &body) // what is no JSON has no such error either
	if got.StatusCode == http.StatusUnauthorized && body.Error == unauthorized {
		return pass(fmt.Sprintf("401 %q without a token", unauthorized))
	}
	return fail(fmt.Sprintf("GET / without a token: %s, and not 401 %q", got, unauthorized), gateway.NoRefusal)
}

// bypass wants that nothing is given without a token. The documentation pages are
// behind the same door as everything else; the header is that of
// AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER.
func bypass(ctx context.Context, v *visitor) upgrade.Check {
	tries := []struct {
		path   string
		header []string
		how    string
	}{
		{"/docs", nil, "without a token"},
		{"/openapi.json", nil, "without a token"},
		{"/openapi.json", []string{"Bypass-Auth", "true"}, "with no more than the header Bypass-Auth"},
	}
	for _, try := range tries {
		got, err := v.get(ctx, try.path, try.header...)
		if err != nil {
			return v.explain(err)
		}
		if got.StatusCode == http.StatusOK {
			return fail(fmt.Sprintf("GET %s %s: 200; whoever reaches the gateway may use it", try.path, try.how), gateway.AuthenticationOff)
		}
	}
	return pass("/docs and /openapi.json are closed without a token")
}

// models wants the list of models, which says that the gateway has loaded its
// configuration.
func (t *trial) models(ctx context.Context, v *visitor) upgrade.Check {
	if t.line != nil && !t.needs.ModelsEndpoint {
		return skip("a gateway of " + t.line.String() + " does not show its models without a token")
	}
	path := gateway.ModelsPath()
	got, err := v.get(ctx, path)
	if err != nil {
		return v.explain(err)
	}
	if t.line == nil && (got.StatusCode == http.StatusNotFound || got.StatusCode == http.StatusUnauthorized) {
		return skip("not shown; gateways before 18.4 do not, and which release this one is of is not known")
	}
	var body struct {
		Models []json.RawMessage `json:"models"`
	}
	if got.StatusCode != http.StatusOK || json.Unmarshal(got.body, &body) != nil || len(body.Models) == 0 {
		return fail(fmt.Sprintf("GET %s: %s, and not 200 with a list of models", path, got), gateway.ModelsMissing)
	}
	return pass(fmt.Sprintf("%d models", len(body.Models)))
}

// dns wants that the host of gateway.url exists.
func (t *trial) dns(ctx context.Context) upgrade.Check {
	switch {
	case t.nameless != nil:
		return warn(fmt.Sprintf("the host %q of gateway.url does not exist in the DNS yet; the gateway was looked at by its own address", t.nameless.Name), gateway.URLUnknown)
	case t.front == nil && t.o.GatewayURL != "":
		return skip("a rehearsal has no name")
	case t.front == nil:
		return skip("gateway.url is not set")
	}
	u, err := url.Parse(t.o.GatewayURL)
	if err != nil {
		return unseen("gateway.url is no address", gateway.URLUnknown)
	}
	host := u.Hostname()
	switch {
	case net.ParseIP(host) != nil:
		return skip(host + " is an address, not a name")
	case t.front.proxied():
		return skip("the proxy looks " + host + " up")
	}
	bounded, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	addrs, err := t.lookup(bounded, host)
	if err != nil {
		dns, ok := err.(*net.DNSError)
		if !ok {
			dns = &net.DNSError{Err: err.Error(), Name: host}
		}
		return resolving(dns)
	}
	if len(addrs) == 0 {
		return resolving(&net.DNSError{Err: "no address", Name: host, IsNotFound: true})
	}
	return pass(host + " is " + addrs[0])
}

// detour turns to the gateway's own address when there is no name yet to reach it by.
func (t *trial) detour(ctx context.Context) {
	if !t.o.Detour || t.front == nil || t.front.proxied() {
		return
	}
	u, err := url.Parse(t.o.GatewayURL)
	if err != nil || net.ParseIP(u.Hostname()) != nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err = t.lookup(bounded, u.Hostname())
	if missing, ok := errors.AsType[*net.DNSError](err); ok && missing.IsNotFound {
		t.nameless, t.front = missing, nil
	}
}
