package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/gateway"
)

func TestCertificateAuthorities(t *testing.T) {
	t.Parallel()
	a, b := certificate(t), certificate(t)
	in := files{"a.pem": "comment\n" + a, "runner.pem": b}
	got := good(t, Sources{Environ: []string{"AIGW_CI_CA_FILE=a.pem", "CI_SERVER_TLS_CA_FILE=runner.pem"}}, in)
	if diff := cmp.Diff([][]byte{[]byte("comment\n" + a), []byte(b)}, got.CAs); diff != "" {
		t.Error(diff)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"text":        {"hello", "holds no certificate"},
		"empty":       {"", "holds no certificate"},
		"damaged":     {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 in x.pem cannot be read"},
		"private key": {a + privateKey(t), "holds a private key"},
		"huge":        {strings.Repeat("x", largestBundle+1), "larger than 4096 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, variable := range []string{"AIGW_CI_CA_FILE", "AIGW_CI_GATEWAY_CA_BUNDLE"} {
				_, _, problems := load(t, Sources{Environ: []string{variable + "=x.pem"}}, files{"x.pem": tt.text})
				if len(problems) != 1 || !strings.Contains(problems[0], tt.want) || !strings.HasPrefix(problems[0], variable) {
					t.Errorf("%s: %q, want %q", variable, problems, tt.want)
				}
			}
		})
	}
}

// certificate is a self-signed authority in PEM.
func certificate(t *testing.T) string {
	t.Helper()
	cert, _ := pair(t)
	return cert
}

// pair is a self-signed certificate with its key.
func pair(t *testing.T) (cert, private string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func privateKey(t *testing.T) string {
	t.Helper()
	key, err := gateway.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key.Reveal()
}
