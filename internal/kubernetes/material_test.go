package kubernetes

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"aigw-ci/internal/lab/pki"
	"aigw-ci/internal/secret"
)

// issued is a certificate with its chain and its key, both PEM.
func issued(t *testing.T, a *pki.Authority, hosts ...string) (cert []byte, key secret.Value) {
	t.Helper()
	c, err := a.Issue(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf(c), keyOf(t, c)
}

func pemOf(c *tls.Certificate) (text []byte) {
	for _, der := range c.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

func keyOf(t *testing.T, c *tls.Certificate) secret.Value {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return secret.Value(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

func authority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.New("Example CA")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestMaterial(t *testing.T) {
	t.Parallel()
	ca := authority(t)
	cert, key := issued(t, ca, "gateway.example.com")
	d := Declared{
		Host: "gateway.example.com", TLSCert: cert, TLSKey: key,
		CABundle: slices.Concat([]byte("Soci\xe9t\xe9\n"), ca.PEM()),
		Environment: map[string]secret.Value{
			"AWS_REGION":            "eu-central-1",
			"AIGW_GITLAB_URL":       "https://robot:open-sesame@gitlab.example.com",
			"AIGW_LOGGING__LEVEL":   "$(HOME)",
			"ANTHROPIC_API_KEY":     "open-sesame",
			"AIGW_LOGGING__TO_FILE": "",
		},
	}
	m, err := d.material("ai-gateway", "prod", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.objects) != 3 {
		t.Fatalf("%d objects, want the certificate, the bundle and the variables", len(m.objects))
	}
	crt := m.objects[0].(*corev1.Secret)
	if crt.Type != corev1.SecretTypeTLS || !bytes.Equal(crt.Data["tls.crt"], cert) || string(crt.Data["tls.key"]) != key.Reveal() || crt.Name != m.tls || !*crt.Immutable {
		t.Errorf("the certificate: %v", crt.ObjectMeta)
	}
	bundle := m.objects[1].(*corev1.ConfigMap)
	if diff := cmp.Diff(map[string]string{"ca-bundle.pem": string(ca.PEM())}, bundle.Data); diff != "" || bundle.Name != m.ca {
		t.Errorf("the bundle (-want +got):\n%s", diff)
	}
	env := m.objects[2].(*corev1.Secret)
	want := map[string][]byte{"ANTHROPIC_API_KEY": []byte("open-sesame"), "AIGW_LOGGING__LEVEL": []byte("$(HOME)"), "AIGW_GITLAB_URL": []byte(d.Environment["AIGW_GITLAB_URL"].Reveal())}
	if diff := cmp.Diff(want, env.Data); diff != "" {
		t.Errorf("the variables (-want +got):\n%s", diff)
	}
	for _, o := range []*corev1.Secret{crt, env} {
		if o.Namespace != "prod" || o.Labels["app.kubernetes.io/managed-by"] != "aigw-ci" || o.Labels["app.kubernetes.io/instance"] != "ai-gateway" {
			t.Errorf("%s: %v", o.Name, o.ObjectMeta)
		}
	}
	if diff := cmp.Diff([]string{key.Reveal(), d.Environment["AIGW_GITLAB_URL"].Reveal(), "$(HOME)", "open-sesame"}, m.secrets()); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if shown := fmt.Sprint(m.items()); strings.Contains(shown, "sesame") || !strings.Contains(shown, "eu-central-1") {
		t.Errorf("the values: %s", shown)
	}
	if len(m.notes) == 0 || !strings.Contains(m.notes[0], "expires on") {
		t.Errorf("nobody notes that the certificate ends within a week: %q", m.notes)
	}

	again, err := d.material("ai-gateway", "prod", time.Now())
	if diff := cmp.Diff(m.objects, again.objects); diff != "" || err != nil {
		t.Errorf("the same settings make other objects: %v\n%s", err, diff)
	}
	d.Environment["ANTHROPIC_API_KEY"] = "open-barley"
	other, err := d.material("ai-gateway", "prod", time.Now())
	if err != nil || other.objects[2].(*corev1.Secret).Name == env.Name || other.tls != m.tls {
		t.Errorf("another secret needs another name, and nothing else does: %v", err)
	}
}

func TestMaterialRefuses(t *testing.T) {
	t.Parallel()
	ca := authority(t)
	cert, key := issued(t, ca, "gateway.example.com")
	_, stranger := issued(t, ca, "gateway.example.com")
	leaf, _ := pem.Decode(cert)
	reversed := slices.Concat(ca.PEM(), pem.EncodeToMemory(leaf))
	const host = "gateway.example.com"
	week := 7 * 24 * time.Hour
	for name, test := range map[string]struct {
		declared Declared
		after    time.Duration
		want     string
	}{
		"no key":          {Declared{Host: host, TLSCert: cert}, 0, "without kubernetes.tls_key"},
		"no certificate":  {Declared{Host: host, TLSKey: key}, 0, "without kubernetes.tls_cert"},
		"no host":         {Declared{TLSCert: cert, TLSKey: key}, 0, "without kubernetes.host"},
		"another host":    {Declared{Host: "other.example.com", TLSCert: cert, TLSKey: key}, 0, "not for the host other.example.com"},
		"another key":     {Declared{Host: host, TLSCert: cert, TLSKey: stranger}, 0, "is not the key"},
		"reversed":        {Declared{Host: host, TLSCert: reversed, TLSKey: key}, 0, "in place 2: put it first"},
		"expired":         {Declared{Host: host, TLSCert: cert, TLSKey: key}, week + time.Hour, "expired on"},
		"not yet":         {Declared{Host: host, TLSCert: cert, TLSKey: key}, -week, "not valid before"},
		"encrypted":       {Declared{Host: host, TLSCert: cert, TLSKey: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"}, 0, "encrypted"},
		"no PEM":          {Declared{Host: host, TLSCert: cert, TLSKey: "open-sesame"}, 0, "not PEM"},
		"key in the cert": {Declared{Host: host, TLSCert: append(slices.Clone(cert), key.Reveal()...), TLSKey: key}, 0, "EC PRIVATE KEY and not a CERTIFICATE"},
		"key in bundle":   {Declared{CABundle: append(slices.Clone(cert), key.Reveal()...)}, 0, "EC PRIVATE KEY and not a CERTIFICATE"},
		"text in bundle":  {Declared{CABundle: []byte("open-sesame")}, 0, "not PEM with certificates"},
		"large bundle":    {Declared{CABundle: make([]byte, maxMaterial+1)}, 0, "larger than"},
		"broken bundle":   {Declared{CABundle: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, 0, "certificate 1 cannot be read"},
		"a name":          {Declared{Environment: map[string]secret.Value{"A B": "open-sesame"}}, 0, "not a name"},
		"a zero byte":     {Declared{Environment: map[string]secret.Value{"A": "sesame\x00"}}, 0, "zero byte"},
		"bundle twice":    {Declared{CABundle: ca.PEM(), Environment: map[string]secret.Value{"SSL_CERT_FILE": "/x"}}, 0, "sets it as well"},
	} {
		_, err := test.declared.material("ai-gateway", "ns", time.Now().Add(test.after))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestChainOutOfOrderIsNoted(t *testing.T) {
	t.Parallel()
	cert, key := issued(t, authority(t), "gateway.example.com")
	cert = append(cert, authority(t).PEM()...)
	m, err := Declared{Host: "gateway.example.com", TLSCert: cert, TLSKey: key}.material("r", "ns", time.Now())
	if err != nil || !strings.Contains(strings.Join(m.notes, "\n"), "certificate 3 did not sign") {
		t.Errorf("notes %q, %v", m.notes, err)
	}
}
