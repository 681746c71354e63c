package gateway

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/pki"
	"aigw-ci/internal/lab/wire"
)

const (
	noKeys  = "CriticalAuthError: No keys founds in JWKS; are OIDC providers up?"
	badCert = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain"
)

func TestTokensOfGitLabOpenTheDoor(t *testing.T) {
	t.Parallel()
	instance := gitlab.New(gitlab.Options{})
	web := httptest.NewServer(instance)
	defer web.Close()
	p := boot(t, "18.4", "AIGW_GITLAB_URL="+web.URL).wait(t)
	p.until(t, func() bool { return instance.Log().Count("GET", "/oauth/discovery/keys") == 1 })

	token := func(life time.Duration) string {
		return "Bearer " + instance.Sign(map[string]any{"sub": "uid", "gitlab_realm": "self-managed"}, life)
	}
	oidc := []string{"X-Gitlab-Authentication-Type", "oidc", "X-Gitlab-Realm", "self-managed", "X-Gitlab-Instance-Id", "uid", "Authorization"}
	p.until(t, func() bool {
		return strings.HasPrefix(p.ask(t, "POST", "/v2/code/completions", append(oidc, token(time.Hour))...), "422 ")
	})

	stranger := gitlab.New(gitlab.Options{OwnKey: true}).Sign(map[string]any{"sub": "uid"}, time.Hour)
	for want, header := range map[string][]string{
		`401 {"error":"Invalid authorization header"}`:                               {"Authorization", "Basic abc"},
		`401 {"error":"Invalid authentication token type - only OIDC is supported"}`: {"Authorization", token(time.Hour)},
		`401 {"error":"Forbidden by auth provider"}`:                                 append(oidc, "Bearer "+stranger),
		`401 {"error":"Header mismatch 'X-Gitlab-Instance-Id'"}`:                     {"X-Gitlab-Authentication-Type", "oidc", "X-Gitlab-Realm", "self-managed", "Authorization", token(time.Hour)},
		`401 {"error":"Header mismatch 'X-Gitlab-Realm'"}`:                           {"X-Gitlab-Authentication-Type", "oidc", "Authorization", token(time.Hour)},
	} {
		if got := p.ask(t, "GET", "/docs", header...); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := p.ask(t, "GET", "/docs", append(oidc, token(-time.Second))...); !strings.Contains(got, "Forbidden by auth provider") {
		t.Errorf("expired: %s", got)
	}
	// The keys for users' tokens are missed when they are needed, not at boot.
	if got := p.ask(t, "POST", "/v1/code/user_access_token", append(oidc, token(time.Hour))...); got != `500 {"detail":"Token creation failed"}` {
		t.Error(got)
	}
	if log := p.output.String(); strings.Contains(log, noKeys) || strings.Contains(log, "CERTIFICATE") {
		t.Error(log)
	}
}

func TestGatewayServesWithoutGitLab(t *testing.T) {
	t.Parallel()
	broken := gitlab.New(gitlab.Options{})
	broken.SetFaults(gitlab.BadGateway())
	web := httptest.NewServer(broken)
	defer web.Close()
	hasty := gitlab.New(gitlab.Options{})
	hasty.SetFaults(wire.Dropped())
	dropping := httptest.NewServer(hasty)
	defer dropping.Close()
	for name, env := range map[string][]string{
		"unset":       nil,
		"nobody":      {"AIGW_GITLAB_URL=http://127.0.0.1:1"},
		"bad gateway": {"AIGW_GITLAB_URL=" + web.URL},
		"dropped":     {"AIGW_GITLAB_URL=" + dropping.URL},
		"by image":    {"AIGW_GITLAB_URL=" + web.URL, ModeVariable + "=no-gitlab"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := boot(t, "18.4", env...).wait(t)
			p.until(t, func() bool { return strings.Contains(p.output.String(), noKeys) })
			if got := p.ask(t, "GET", "/monitoring/healthz"); got != "200 {}" {
				t.Error(got)
			}
			if got := p.ask(t, "GET", "/", "Authorization", "Bearer a.b.c", "X-Gitlab-Authentication-Type", "oidc"); got != `401 {"error":"Forbidden by auth provider"}` {
				t.Error(got)
			}
		})
	}
}

func TestPrivateAuthorityNeedsBothVariables(t *testing.T) {
	t.Parallel()
	authority, err := pki.New("test")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Issue("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	listeners, err := wire.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	instance := gitlab.New(gitlab.Options{})
	server := wire.Serve(instance, certificate, listeners...)
	t.Cleanup(func() { _ = server.Close() })
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "AIGW_GITLAB_URL=https://" + listeners[0].Addr().String()
	for _, tt := range []struct {
		name           string
		env            []string
		noKeys, refuse bool
	}{
		{"neither", []string{url}, true, true},
		{"one", []string{url, "SSL_CERT_FILE=" + file}, true, true},
		{"the other", []string{url, "REQUESTS_CA_BUNDLE=" + file}, false, true},
		{"both", []string{url, "SSL_CERT_FILE=" + file, "REQUESTS_CA_BUNDLE=" + file}, false, false},
		{"a file that is not there", []string{url, "SSL_CERT_FILE=" + file, "REQUESTS_CA_BUNDLE=/nowhere"}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := boot(t, "18.4", tt.env...).wait(t)
			header := []string{"X-Gitlab-Authentication-Type", "oidc", "Authorization", "Bearer " + instance.Sign(nil, time.Hour)}
			p.until(t, func() bool {
				return strings.Contains(p.output.String(), noKeys) || strings.HasPrefix(p.ask(t, "GET", "/docs", header...), "200 ")
			})
			log := p.output.String()
			if strings.Contains(log, noKeys) != tt.noKeys || strings.Contains(log, badCert) != tt.refuse {
				t.Error(log)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	public := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)}))
	const signing, validation = "AIGW_SELF_SIGNED_JWT__SIGNING_KEY=", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY="

	p := boot(t, "18.9", ModeVariable+"=bypass", signing+good, validation+pkcs8).wait(t)
	if got := p.ask(t, "POST", "/v1/code/user_access_token"); !strings.HasPrefix(got, `200 {"token":`) {
		t.Error(got)
	}
	if strings.Contains(p.output.String(), "JWKError") {
		t.Error(p.output)
	}
	for name, bad := range map[string]string{"text": "not a key", "path": "/keys/aigw.key", "public": public, "one line": strings.ReplaceAll(good, "\n", " ")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := boot(t, "18.9", ModeVariable+"=bypass", signing+good, validation+bad).wait(t)
			if got := p.ask(t, "POST", "/v1/code/user_access_token"); got != `500 {"detail":"Token creation failed"}` {
				t.Error(got)
			}
			log := p.output.String()
			if !strings.Contains(log, "JWKError: Could not deserialize key data") || strings.Contains(log, bad) {
				t.Error(log)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	keys := &keySet{keys: []*rsa.PublicKey{&key.PublicKey}}
	f.Add("a.b.c")
	f.Add("")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := keys.verify(token); err == nil {
			t.Errorf("%q opens: %+v", token, c)
		}
	})
}
