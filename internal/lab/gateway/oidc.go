package gateway

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"sync"
	"time"
)

// fetchTimeout bounds the wait for GitLab. The real one waits as long per provider.
const fetchTimeout = 10 * time.Second

// maxDocument bounds what is read of GitLab's answers, in bytes.
const maxDocument = 1 << 20

// keySet holds GitLab's public keys. They are read once; the real one reads them
// again after a day.
type keySet struct {
	mu     sync.Mutex
	keys   []*rsa.PublicKey
	issuer string
}

// fetchKeys reads GitLab's keys once and logs the known texts when it cannot. The
// gateway serves all the same, as the real one does; it only lets nobody in.
func (g *gateway) fetchKeys(ctx context.Context) {
	defer close(g.fetched)
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, issuer, err := g.readKeys(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the gateway is being stopped
	}
	if err != nil {
		g.log.Error(err.Error(), "logger", "cloud_connector.providers")
	}
	if len(keys) == 0 {
		g.log.Error("Failed to load JWKS", "exception", "Traceback (most recent call last):\n  File \"/home/aigateway/app/cloud_connector/providers.py\", line 109, in authenticate\nCriticalAuthError: No keys founds in JWKS; are OIDC providers up?")
		return
	}
	g.keys.mu.Lock()
	defer g.keys.mu.Unlock()
	g.keys.keys, g.keys.issuer = keys, issuer
}

func (g *gateway) readKeys(ctx context.Context) (keys []*rsa.PublicKey, issuer string, err error) {
	if g.settings.Mode == NoGitLab || g.settings.GitLabURL == "" {
		return nil, "", errors.New("Unable to fetch OpenID configuration: Max retries exceeded with url: /.well-known/openid-configuration")
	}
	// Two libraries talk to GitLab, and each has its own variable for the trusted
	// authorities: requests reads the keys, httpx does the rest. The documentation
	// says to set both; who sets one gets half a gateway.
	if err := fetchJSON(ctx, g.settings.SSLCertFile, g.settings.GitLabURL+"/.well-known/openid-configuration", new(any)); err != nil {
		g.log.Error(err.Error(), "logger", "httpx")
	}
	var discovery struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := fetchJSON(ctx, g.settings.RequestsCABundle, g.settings.GitLabURL+"/.well-known/openid-configuration", &discovery); err != nil {
		return nil, "", fmt.Errorf("Unable to fetch OpenID configuration: %w", err) //nolint:staticcheck // the real one's words
	}
	var set struct {
		Keys []struct {
			N string `json:"n"`
			E string `json:"e"`
		} `json:"keys"`
	}
	if err := fetchJSON(ctx, g.settings.RequestsCABundle, discovery.JWKS, &set); err != nil {
		return nil, "", fmt.Errorf("Unable to fetch JWKS: %w", err) //nolint:staticcheck // the real one's words
	}
	for _, k := range set.Keys {
		n, nErr := base64.RawURLEncoding.DecodeString(k.N)
		e, eErr := base64.RawURLEncoding.DecodeString(k.E)
		if nErr == nil && eErr == nil && len(n) > 0 && len(e) > 0 && len(e) <= 4 {
			keys = append(keys, &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())})
		}
	}
	return keys, discovery.Issuer, nil
}

// fetchJSON reads url, trusting only the authorities in bundle. Without one it
// trusts nobody: the lab's authority is in no public list.
func fetchJSON(ctx context.Context, bundle, url string, into any) error {
	pool := x509.NewCertPool()
	if bundle != "" {
		data, err := os.ReadFile(bundle)
		if err != nil {
			return fmt.Errorf("OSError: Could not find a suitable TLS CA certificate bundle, invalid path: %s", bundle)
		}
		pool.AppendCertsFromPEM(data)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			return errors.New("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1010)")
		}
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%d for url: %s", response.StatusCode, url)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxDocument)).Decode(into)
}
