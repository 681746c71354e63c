package verify

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// truster is a gateway that tells which certificate authorities it was given. A
// target offers it where it can read the gateway's files.
type truster interface {
	// Authorities are the PEM files that the gateway was told to trust, by the
	// variable that names each; nil data is a file that is not there. None at all
	// means that the gateway trusts what its image does.
	Authorities(ctx context.Context) (map[string][]byte, error)
}

// The variables that name a gateway's authorities. GitLab's keys are read with the
// requests library, everything else with httpx. Sources:
// docs.gitlab.com/install/install_ai_gateway; ai-assist, ai_gateway/config.py;
// requests.readthedocs.io, SSL Cert Verification.
const (
	forKeys = "REQUESTS_CA_BUNDLE"
	forRest = "SSL_CERT_FILE"
)

// gatewayTrust marks a visitor that trusts what the gateway trusts.
const gatewayTrust = "the gateway's own authorities"

// trust is what the gateway trusts when it reads GitLab's keys; nil when that is not
// known here, and what this job trusts has to do. The check is set when what the
// gateway was told is wrong, and zero otherwise.
func (t *trial) trust(ctx context.Context) (*x509.CertPool, upgrade.Check) {
	g, ok := t.Gateway.(truster)
	if !ok {
		return nil, upgrade.Check{}
	}
	bounded, cancel := context.WithTimeout(ctx, targetTimeout)
	defer cancel()
	bundles, err := g.Authorities(bounded)
	if err != nil {
		return nil, upgrade.Check{} // the log is still a witness
	}
	pools := make(map[string]*x509.CertPool)
	for _, name := range slices.Sorted(maps.Keys(bundles)) {
		pools[name] = x509.NewCertPool()
		switch {
		case bundles[name] == nil:
			return nil, fail(name+" names a file that is not in the gateway", gateway.CABundleMissing)
		case !pools[name].AppendCertsFromPEM(bundles[name]):
			return nil, fail(fmt.Sprintf("%s names a file without a certificate, of %d bytes", name, len(bundles[name])), gateway.CABundleMissing)
		}
	}
	keys, rest := pools[forKeys], pools[forRest]
	switch {
	case keys != nil && rest == nil:
		return keys, warn(forKeys+" is set and "+forRest+" is not", gateway.CAVariableAlone)
	case keys == nil && rest != nil:
		return t.public(), warn(forRest+" is set and "+forKeys+" is not", gateway.CAVariableAlone)
	case keys == nil:
		return t.public(), upgrade.Check{}
	}
	return keys, upgrade.Check{}
}

// public are the authorities of the web, which an image trusts by itself; nil when
// this machine has no list of them.
func public() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil || pool.Equal(x509.NewCertPool()) {
		return nil
	}
	return pool
}
