package gitlab

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/pki"
	"aigw-ci/internal/lab/wire"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// road is a GitLab and a gateway on loopback that find each other, or not.
type road struct {
	gitlab  *gitlab.Server
	address string // GitLab's
	client  *Client
	gateway string // its address

	mu  sync.Mutex
	log bytes.Buffer // the gateway's
}

func (r *road) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *road) wrote() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// build starts a GitLab and a gateway with this environment, in which {gitlab}
// stands for GitLab's address and {ca} for the file of its authority.
func build(t *testing.T, withTLS bool, env ...string) *road {
	t.Helper()
	host := fmt.Sprintf("127.%d.%d.%d", 1+mathrand.IntN(254), mathrand.IntN(256), 1+mathrand.IntN(254))
	r := &road{gateway: "http://" + net.JoinHostPort(host, "5052")}
	listeners, err := wire.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = "http://" + listeners[0].Addr().String()
	network := &http.Transport{DisableKeepAlives: true}
	var certificate *tls.Certificate
	file := filepath.Join(t.TempDir(), "ca.pem")
	if withTLS {
		r.address = "https" + strings.TrimPrefix(r.address, "http")
		authority, err := pki.New("test")
		if err != nil {
			t.Fatal(err)
		}
		if certificate, err = authority.Issue("127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, authority.PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(authority.PEM())
		network.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	r.gitlab = gitlab.New(gitlab.Options{Version: "18.9.1-ee", URL: r.address, GatewayURL: r.gateway})
	server := wire.Serve(r.gitlab, certificate, listeners...)
	t.Cleanup(func() { _ = server.Close() })
	r.client = client(t, network, func(o *Options) { o.URL, o.Token, o.Patience = r.address, gitlab.TokenAdmin, time.Second })

	all := map[string]string{gateway.HostVariable: host, gateway.LineVariable: "18.9", "AIGW_FASTAPI__API_PORT": "5052"}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		all[name] = strings.NewReplacer("{gitlab}", r.address, "{ca}", file).Replace(value)
	}
	s, err := gateway.Read(func(name string) string { return all[name] })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		gateway.Run(ctx, s, r, r)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

// climb makes every check of the ladder once.
func (r *road) climb(t *testing.T) map[string]upgrade.Check {
	t.Helper()
	by := map[string]upgrade.Check{}
	for _, probe := range r.client.Ladder(Ladder{GatewayURL: r.gateway}) {
		c := probe(t.Context(), upgrade.Subject{Stage: upgrade.Live, Settled: true, Release: upgrade.Release{Version: version.GitLab{Major: 18, Minor: 9}}})
		by[c.ID] = c
	}
	return by
}

// until climbs until the checks are as wanted and the gateway's log holds a text.
func (r *road) until(t *testing.T, text string, want ...upgrade.Verdict) map[string]upgrade.Check {
	t.Helper()
	var got map[string]upgrade.Check
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got = r.climb(t)
		as := true
		for n, id := range rungs {
			as = as && (want[n] == "" || got[id].Verdict == want[n])
		}
		if as && strings.Contains(r.wrote(), text) {
			return got
		}
	}
	for _, id := range rungs {
		t.Logf("%s: %s: %s", id, got[id].Verdict, got[id].Detail)
	}
	t.Fatalf("want %v and %q; the gateway wrote:\n%s", want, text, end(r.wrote()))
	return nil
}

// end is the end of a text, for people.
func end(text string) string { return text[max(0, len(text)-2000):] }

var signingKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

// What goes wrong between a real signature and a real check of it, for the reason it
// goes wrong with a real gateway, with the words that a real one writes.
func TestRoad(t *testing.T) {
	t.Parallel()
	const p, f, w, i = upgrade.Pass, upgrade.Fail, upgrade.Warn, upgrade.Inconclusive
	keys := []string{"AIGW_SELF_SIGNED_JWT__SIGNING_KEY=" + signingKey(), "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY=" + signingKey()}
	found := slices.Concat(keys, []string{"AIGW_GITLAB_URL={gitlab}"})
	for _, tt := range []struct {
		name   string
		tls    bool
		env    []string
		change func(*road)
		log    string
		direct upgrade.Verdict
		whole  upgrade.Verdict
		text   string // of gitlab.completion
	}{
		{"all is well", false, found, nil, "", p, p, "codestral"},
		{"all is well, with TLS", true, slices.Concat(found, []string{"SSL_CERT_FILE={ca}", "REQUESTS_CA_BUNDLE={ca}"}), nil, "", p, p, ""},
		{"nobody at AIGW_GITLAB_URL", false, slices.Concat(keys, []string{"AIGW_GITLAB_URL=http://127.0.0.1:1"}), nil, "No keys founds in JWKS", f, f, "Forbidden by auth provider"},
		{"a certificate it does not trust", true, found, nil, "CERTIFICATE_VERIFY_FAILED", f, f, "gateway.ca_bundle"},
		{"no signing keys", false, []string{"AIGW_GITLAB_URL={gitlab}"}, nil, "Token creation failed", f, p, ""},
		{"a clock that is late", false, found, func(r *road) { r.gitlab.SetClock(-2 * time.Hour) }, "Signature has expired", f, f, "both clocks are right"},
		{"a clock that is early", false, found, func(r *road) { r.gitlab.SetClock(time.Hour) }, "The token is not yet valid", f, f, "both clocks are right"},
		{"a model that fails", false, slices.Concat(found, []string{gateway.ModelVariable + "=misdirected"}), nil, "", p, f, "the model server failed"},
		{"a model nobody reaches", false, slices.Concat(found, []string{gateway.ModelVariable + "=unreachable"}), nil, "", p, f, "the gateway failed"},
		{"a model that is silent", false, slices.Concat(found, []string{gateway.ModelVariable + "=silent"}), nil, "", p, w, "completes nothing"},
		{"a model that is throttled", false, slices.Concat(found, []string{gateway.ModelVariable + "=throttled"}), nil, "", p, i, "rate limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := build(t, tt.tls, tt.env...)
			if tt.change != nil {
				tt.change(r)
			}
			got := r.until(t, tt.log, p, p, tt.direct, tt.whole)
			wantCheck(t, got[completionRung], tt.whole, tt.text)
		})
	}
}

func TestRoadToAnotherGitLab(t *testing.T) {
	t.Parallel()
	other := gitlab.New(gitlab.Options{OwnKey: true})
	listeners, err := wire.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := wire.Serve(other, nil, listeners...)
	t.Cleanup(func() { _ = server.Close() })
	r := build(t, false, "AIGW_GITLAB_URL=http://"+listeners[0].Addr().String())
	got := r.until(t, "Signature verification failed", upgrade.Pass, upgrade.Pass, upgrade.Fail, upgrade.Fail)
	wantCheck(t, got[completionRung], upgrade.Fail, "AIGW_GITLAB_URL")
}

func TestRoadAfterAnotherKey(t *testing.T) {
	t.Parallel()
	r := build(t, false, "AIGW_GITLAB_URL={gitlab}")
	r.until(t, "", "", "", "", upgrade.Pass)
	r.gitlab.RotateKey()
	r.until(t, "Signature verification failed", upgrade.Pass, upgrade.Pass, upgrade.Fail, upgrade.Fail)
}
