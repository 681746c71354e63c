package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// discovery is what OpenID Connect Discovery 1.0, section 4, promises at this path,
// as far as it is needed here; the gateway takes GitLab's keys from jwks_uri.
const discoveryPath = "/.well-known/openid-configuration"

type discovery struct {
	Issuer string `json:"issuer"` // GitLab's external_url
	Keys   string `json:"jwks_uri"`
}

// reachFrom reads GitLab's keys through connections opened by the gateway.
func (t *trial) reachFrom(ctx context.Context) upgrade.Check {
	address, wrong := t.told(ctx)
	if wrong.Verdict != "" {
		return wrong
	}
	if address == "" {
		return skip("GitLab's address as the gateway knows it is not known here")
	}
	roots, doubt := t.trust(ctx)
	if doubt.Verdict == upgrade.Fail {
		return doubt
	}
	v := t.visitGitLab(address, roots)
	defer v.close()
	got, err := v.get(ctx, discoveryPath)
	if err != nil {
		return t.unreached(v, err)
	}
	var found discovery
	if c := readJSON(v.address+discoveryPath, got, &found); c.Verdict != upgrade.Pass {
		return c
	}
	keys, err := url.Parse(found.Keys)
	if err != nil || keys.Host == "" || keys.Scheme != "http" && keys.Scheme != "https" {
		return fail(fmt.Sprintf("%s answers without a jwks_uri: it is no GitLab", v.address), gateway.GitLabWrongAddress)
	}

	// GitLab names the keys by its external_url, which may be another address than
	// the one the gateway was given.
	k := v
	if there := keys.Scheme + "://" + keys.Host; !strings.HasPrefix(address+"/", there+"/") {
		k = t.visitGitLab(there, roots)
		defer k.close()
	}
	got, err = k.fetch(ctx, found.Keys)
	if err != nil {
		c := t.unreached(k, err)
		c.Detail = fmt.Sprintf("%s answers, and says that its keys are at %s; but %s", v.address, k.address, c.Detail)
		return c
	}
	var set struct {
		Keys []struct {
			Type string `json:"kty"`
		} `json:"keys"`
	}
	if c := readJSON(found.Keys, got, &set); c.Verdict != upgrade.Pass {
		return c
	}
	usable := 0
	for _, k := range set.Keys {
		if k.Type == "RSA" { // GitLab signs with RS256; RFC 7518, section 6.3
			usable++
		}
	}
	detail := fmt.Sprintf("from inside the gateway, %s answers and shows %d keys", v.address, usable)
	switch {
	case usable == 0:
		return fail(short(found.Keys, 200)+" has no keys to check a token with", gateway.GitLabWithoutKeys)
	case t.o.GitLabURL != "" && !sameSite(address, t.o.GitLabURL) && found.Issuer != "" && !sameSite(found.Issuer, t.o.GitLabURL):
		return warn(fmt.Sprintf("%s; but it is %s, and this job's GitLab is %s", detail, short(found.Issuer, 100), t.o.GitLabURL), gateway.GitLabWrongAddress)
	case doubt.Verdict == upgrade.Warn:
		doubt.Detail = detail + "; but " + doubt.Detail
		return doubt
	case strings.HasPrefix(v.address, "http:"):
		return warn(detail+", without TLS", gateway.GitLabWithoutTLS)
	}
	return pass(detail)
}

// visitGitLab goes to a GitLab address the way the gateway would. With roots it
// trusts what the gateway trusts, and nothing else.
func (t *trial) visitGitLab(address string, roots *x509.CertPool) *visitor {
	v := t.visit(address, func(ctx context.Context, _, addr string) (net.Conn, error) {
		return t.Gateway.DialFrom(ctx, addr)
	}, insideTimeout)
	v.transport.Proxy = nil
	v.transport.ResponseHeaderTimeout = requestTimeout // patience is for the helper
	if roots != nil {
		v.via = gatewayTrust
		if v.transport.TLSClientConfig == nil {
			v.transport.TLSClientConfig = new(tls.Config)
		}
		v.transport.TLSClientConfig.RootCAs = roots
	}
	return v
}

// readJSON reads an answer that has to be 200 with a JSON object.
func readJSON(where string, got *answer, into any) upgrade.Check {
	where = short(where, 200)
	switch {
	case got.StatusCode >= 500 || got.StatusCode == http.StatusTooManyRequests:
		return unseen(fmt.Sprintf("%s: GitLab itself is in trouble: %s", where, got), gateway.GitLabInTrouble)
	case got.StatusCode >= 300 && got.StatusCode < 400:
		return warn(fmt.Sprintf("%s redirects: %s", where, got), gateway.GitLabRedirects)
	case got.StatusCode != http.StatusOK:
		return fail(fmt.Sprintf("%s: %s, and not 200", where, got), gateway.GitLabWrongAddress)
	case json.Unmarshal(got.body, into) != nil:
		return fail(fmt.Sprintf("%s: %s, and not JSON: a login page, or another program", where, got), gateway.GitLabWrongAddress)
	}
	return pass("")
}
