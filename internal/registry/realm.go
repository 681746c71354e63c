package registry

import (
	"net"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// realms are the hosts whose token service may see the credentials of any registry.
type realms []string

func newRealms(hosts []string) realms {
	var rs realms
	for _, h := range hosts {
		if host, _, err := net.SplitHostPort(h); err == nil {
			h = host
		}
		if h = hostname(h); h != "" {
			rs = append(rs, h)
		}
	}
	return rs
}

// trusted is the rule for where credentials of a registry may go to be exchanged for
// a token. The registry itself names the place, so without a rule a registry that
// was broken into, or a proxy before it, could send them anywhere. They may go to
//
//   - the registry's own host, on any port: GitLab on 10.0.0.5, its registry on :5050;
//   - a host from the options: the configured GitLab;
//   - auth.docker.io, for Docker Hub;
//   - a parent domain that somebody can own: gitlab.com for registry.gitlab.com, but
//     not com, co.uk or github.io.
//
// A sibling, such as auth.example.com for registry.example.com, is not on the list:
// under many domains neighbours are strangers.
func (rs realms) trusted(registry, realm string) bool {
	if host, _, err := net.SplitHostPort(registry); err == nil {
		registry = host
	}
	registry, realm = hostname(registry), hostname(realm)
	switch {
	case realm == "":
		return false
	case realm == registry, slices.Contains(rs, realm):
		return true
	case isHub(registry):
		return realm == "auth.docker.io"
	}
	return net.ParseIP(registry) == nil && strings.HasSuffix(registry, "."+realm) && ownable(realm)
}

// ownable reports whether a domain can be registered, or lies below one that can.
func ownable(domain string) bool {
	_, err := publicsuffix.EffectiveTLDPlusOne(domain)
	return err == nil
}

func hostname(h string) string {
	return strings.Trim(strings.TrimSuffix(strings.ToLower(h), "."), "[]")
}
