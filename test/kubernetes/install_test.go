//go:build kubernetes

package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
)

// host is where GitLab would look for the gateway.
const host = "aigw.example.com"

// elsewhere makes the world's namespace one that does not exist yet.
func (w *world) elsewhere() {
	w.Helper()
	w.kubectl("delete", "namespace", w.namespace, "--wait=false")
	w.namespace += "-b"
	w.settings["AIGW_CI_KUBERNETES_NAMESPACE"] = w.namespace
}

// exists reports whether the namespace is there.
func (w *world) exists() bool {
	w.Helper()
	return w.kubectl("get", "namespaces", "--field-selector=metadata.name="+w.namespace, "--output=name") != ""
}

// The first installation makes the namespace, the Ingress and the Secret for it; the
// key is in that Secret and nowhere else.
func TestFirstInstall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.elsewhere()
	cert, key := w.pair(host, time.Now().AddDate(0, 1, 0))
	tls := []string{
		"AIGW_CI_KUBERNETES_HOST=" + host, "AIGW_CI_KUBERNETES_TLS_CERT=" + cert, "AIGW_CI_KUBERNETES_TLS_KEY=" + key,
		"AIGW_CI_KUBERNETES_VALUES=ingress: {className: nginx}",
	}
	if r := w.run("plan", 0, "planned", tls...); len(r.Changes) == 0 || w.exists() {
		t.Errorf("a plan has made the namespace, or shows nothing: %+v", r.Changes)
	}
	r := w.run("upgrade", 0, "installed", tls...)
	if r.Before != nil || r.After == nil || r.After.ID != "1" {
		t.Errorf("the report has %+v before and %+v after", r.Before, r.After)
	}
	ingress := w.get("ingress/"+release, "{.spec.ingressClassName} {.spec.rules[*].host} {.spec.tls[*].hosts[*]} {.spec.tls[0].secretName}")
	name := ingress[strings.LastIndex(ingress, " ")+1:]
	if !strings.HasPrefix(ingress, "nginx "+host+" "+host+" "+release+"-tls-") {
		t.Errorf("the Ingress is %q", ingress)
	}
	for file, field := range map[string]string{cert: `tls\.crt`, key: `tls\.key`} {
		text := read(t, file)
		if got := w.get("secret/"+name, "{.data."+field+"}"); got != base64.StdEncoding.EncodeToString([]byte(text)) {
			t.Errorf("Secret %s has another %s than %s", name, field, file)
		}
	}
	said := r.Log + read(t, filepath.Join(r.Dir, "report.json")) + w.helm(4, "get", "all", release)
	text := read(t, key)
	for _, part := range []string{strings.Split(text, "\n")[1], base64.StdEncoding.EncodeToString([]byte(text))} {
		if strings.Contains(said, part) {
			t.Error("the key shows in the log, in the report or in the release")
		}
	}
	if same := w.run("upgrade", 0, "unchanged", tls...); len(same.Changes) > 0 {
		t.Errorf("a second run wants to change %+v", same.Changes)
	}

	// A renewed certificate is a change of the settings, and not of the image.
	cert, key = w.pair(host, time.Now().AddDate(0, 3, 0))
	tls[1], tls[2] = "AIGW_CI_KUBERNETES_TLS_CERT="+cert, "AIGW_CI_KUBERNETES_TLS_KEY="+key
	w.run("upgrade", 0, "upgraded", tls...)
	if now := w.get("ingress/"+release, "{.spec.tls[0].secretName}"); now == name || !strings.HasPrefix(now, release+"-tls-") {
		t.Errorf("the renewed certificate is in Secret %s, the old one in %s", now, name)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A certificate that users would refuse is refused first, in words, and nothing is
// made.
func TestCertificateIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.elsewhere()
	next := time.Now().AddDate(0, 1, 0)
	good, goodKey := w.pair(host, next)
	other, otherKey := w.pair("other.example.com", next)
	past, pastKey := w.pair(host, time.Now().Add(-time.Minute))
	for _, tt := range []struct{ name, cert, key, want string }{
		{"another key", good, otherKey, "make no pair"},
		{"another host", other, otherKey, "is not for the host " + host},
		{"expired", past, pastKey, "expired on"},
		{"no key", good, "", "kubernetes.tls_key"},
		{"the two swapped", goodKey, good, "switched"},
	} {
		for _, command := range []string{"plan", "upgrade"} {
			r := w.start(command, "AIGW_CI_KUBERNETES_HOST="+host, "AIGW_CI_KUBERNETES_TLS_CERT="+tt.cert, "AIGW_CI_KUBERNETES_TLS_KEY="+tt.key).Wait()
			if r.Exit != 1 && r.Exit != 2 {
				t.Errorf("%s, %s: exit code %d", tt.name, command, r.Exit)
			}
			r.Says(t, tt.want)
		}
	}
	if w.exists() {
		t.Errorf("a namespace was made, with %s", w.kubectl("get", kinds+",leases", "--output=name"))
	}
}

// An installation that fails leaves a namespace in which nothing is of it.
func TestFirstInstallFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.robot()
	w.publish(tag182, gateway.CrashAtBoot)
	cert, key := w.pair(host, time.Now().AddDate(0, 1, 0))
	r := w.run("upgrade", 1, "failed", "AIGW_CI_KUBERNETES_HOST="+host, "AIGW_CI_KUBERNETES_TLS_CERT="+cert, "AIGW_CI_KUBERNETES_TLS_KEY="+key,
		"AIGW_CI_GATEWAY_ENVIRONMENT=AWS_SECRET_ACCESS_KEY=canary-of-aws")
	r.Explains(t, "CrashLoopBackOff", "exit code 1")
	r.Evidence(t, "live")
	var left string
	w.settles(func() bool {
		left = w.kubectl("get", kinds, "--output=name", "--field-selector=metadata.name!=kube-root-ca.crt,metadata.name!=default,metadata.name!=aigw-ci")
		return !strings.Contains(left, "\n")
	})
	// Of the keys that the chart makes, the chart itself says that they stay.
	if left != "" && left != "secret/"+release+"-jwt-keys" {
		t.Errorf("it left %s", left)
	}
	w.publish(tag182, gateway.Healthy)
	w.run("upgrade", 0, "installed")
	w.runs(tag182)
}

// pair writes a certificate for a host, signed by itself, and its key.
func (w *world) pair(host string, until time.Time) (cert, key string) {
	w.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(until.UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: until.AddDate(-1, 0, 0), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		w.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		w.Fatal(err)
	}
	dir := w.TempDir()
	write := func(name, kind string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			w.Fatal(err)
		}
		return file
	}
	return write("aigw.crt", "CERTIFICATE", der), write("aigw.key", "PRIVATE KEY", secret)
}
