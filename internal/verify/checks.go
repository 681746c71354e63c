package verify

import (
	"context"
	"encoding/json"
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
		return unseen(fmt.Sprintf("the proxy answers, not the gateway: %s", got), "check HTTP_PROXY, or name the gateway's host in NO_PROXY")
	case got.StatusCode != http.StatusOK:
		return fail(fmt.Sprintf("GET /monitoring/healthz: %s, and not 200 {}", got), wrongAnswer(v, got))
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(got.body, &body) != nil || body == nil || len(body) != 0 {
		return fail(fmt.Sprintf("GET /monitoring/healthz: %s, and not 200 {}: something else than a gateway answers", got), wrongAnswer(v, got))
	}
	return pass("200 {} from " + v.String())
}

func wrongAnswer(v *visitor, got *answer) string {
	switch {
	case got.StatusCode >= 300 && got.StatusCode < 400:
		return "give gateway.url as the address it redirects to, or take the redirect away: GitLab needs the gateway itself"
	case v.front && got.StatusCode >= 500:
		return "the reverse proxy does not reach the gateway: look at its upstream address and its log"
	case v.front:
		return "check that gateway.url leads to the gateway and passes every path on unchanged"
	default:
		return "check that the image is a self-hosted AI Gateway, and read its log"
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
	return fail(fmt.Sprintf("GET / without a token: %s, and not 401 %q", got, unauthorized),
		"either this is no AI Gateway (then check gateway.url and the image), or its authentication is off (then remove AIGW_AUTH__BYPASS_EXTERNAL)")
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
			return fail(fmt.Sprintf("GET %s %s: 200; whoever reaches the gateway may use it", try.path, try.how),
				"remove AIGW_AUTH__BYPASS_EXTERNAL and AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER from the gateway's environment")
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
		return fail(fmt.Sprintf("GET %s: %s, and not 200 with a list of models", path, got),
			"check that the image is the one of this release, and that no mount hides its model definitions")
	}
	return pass(fmt.Sprintf("%d models", len(body.Models)))
}

// dns wants that the host of gateway.url exists.
func (t *trial) dns(ctx context.Context) upgrade.Check {
	if t.front == nil {
		if t.o.GatewayURL != "" {
			return skip("a rehearsal has no name")
		}
		return skip("gateway.url is not set")
	}
	u, err := url.Parse(t.o.GatewayURL)
	if err != nil {
		return unseen("gateway.url is no address", "correct gateway.url")
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
