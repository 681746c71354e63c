package kubernetes

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// soon is how long before its end a certificate is worth a note.
const soon = 14 * 24 * time.Hour

// maxCertificates bounds a chain; a CA bundle of a whole system has some 150.
const maxCertificates = 1000

// pair is a certificate that was looked at, and its key.
type pair struct {
	data  map[string][]byte
	notes []string
}

// tls checks the certificate for the Ingress the way a client will: that the key is
// its key, that it is valid now, and that it is for the host. It is nil when none is
// declared. Whether clients trust its issuer is not known here.
func (d Declared) tls(now time.Time) (*pair, error) {
	switch {
	case len(d.TLSCert) == 0 && d.TLSKey == "":
		return nil, nil
	case len(d.TLSCert) == 0:
		return nil, errors.New("kubernetes.tls_key is set without kubernetes.tls_cert: set both or none")
	case d.TLSKey == "":
		return nil, errors.New("kubernetes.tls_cert is set without kubernetes.tls_key: set both or none")
	case d.Host == "":
		return nil, errors.New("kubernetes.tls_cert is set without kubernetes.host: set the host that it is for")
	case len(d.TLSCert)+len(d.TLSKey) > maxMaterial:
		return nil, fmt.Errorf("kubernetes.tls_cert and kubernetes.tls_key are larger than %d KiB", maxMaterial>>10)
	}
	chain, err := certificates(d.TLSCert)
	if err != nil {
		return nil, fmt.Errorf("kubernetes.tls_cert: %w", err)
	}
	if _, err := tls.X509KeyPair(d.TLSCert, []byte(d.TLSKey.Reveal())); err != nil {
		return nil, explainPair(d.TLSKey.Reveal(), chain)
	}
	leaf := chain[0]
	switch {
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("kubernetes.tls_cert is not valid before %s", day(leaf.NotBefore))
	case !now.Before(leaf.NotAfter):
		return nil, fmt.Errorf("kubernetes.tls_cert expired on %s: renew it", day(leaf.NotAfter))
	}
	if err := leaf.VerifyHostname(d.Host); err != nil {
		return nil, fmt.Errorf("kubernetes.tls_cert is not for the host %s: %s", clean(d.Host, 100), clean(err.Error(), 300))
	}
	p := &pair{data: map[string][]byte{corev1.TLSCertKey: d.TLSCert, corev1.TLSPrivateKeyKey: []byte(d.TLSKey.Reveal())}}
	if left := leaf.NotAfter.Sub(now); left < soon {
		p.note("kubernetes.tls_cert expires on %s, in %d days", day(leaf.NotAfter), int(left.Hours()/24))
	}
	if len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		p.note("kubernetes.tls_cert is not made for servers: clients will refuse it")
	}
	p.chain(chain, now)
	return p, nil
}

// chain notes what some clients forgive and others do not.
func (p *pair) chain(chain []*x509.Certificate, now time.Time) {
	for i, c := range chain[1:] {
		if chain[i].CheckSignatureFrom(c) != nil {
			p.note("kubernetes.tls_cert is not in order: its certificate %d did not sign the one before it; many clients will not find the way to the authority", i+2)
		}
		if !now.Before(c.NotAfter) {
			p.note("kubernetes.tls_cert: certificate %d of the chain expired on %s", i+2, day(c.NotAfter))
		}
	}
}

func (p *pair) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// explainPair says why a certificate and a key are no pair, without quoting the key.
func explainPair(key string, chain []*x509.Certificate) error {
	switch block, _ := pem.Decode([]byte(key)); {
	case block == nil:
		return errors.New("kubernetes.tls_key is not PEM")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return errors.New("kubernetes.tls_key is encrypted: Ingress controllers cannot ask for its password; decrypt it")
	}
	for i, c := range chain[1:] {
		if _, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), []byte(key)); err == nil {
			return fmt.Errorf("kubernetes.tls_cert has the certificate of kubernetes.tls_key in place %d: put it first", i+2)
		}
	}
	return errors.New("kubernetes.tls_key is not the key of kubernetes.tls_cert")
}

// checkBundle checks that a CA bundle is one, and returns its certificates alone:
// what people write between them may be in any encoding.
func checkBundle(bundle []byte, now time.Time) (text []byte, notes []string, err error) {
	if len(bundle) > maxMaterial {
		return nil, nil, fmt.Errorf("gateway.ca_bundle is larger than %d KiB", maxMaterial>>10)
	}
	all, err := certificates(bundle)
	if err != nil {
		return nil, nil, fmt.Errorf("gateway.ca_bundle: %w", err)
	}
	notes = append(notes, "the CA bundle replaces the authorities that the gateway's image trusts: it must also hold the public ones if models are reached on public addresses")
	if !slices.ContainsFunc(all, func(c *x509.Certificate) bool { return now.Before(c.NotAfter) }) {
		notes = append(notes, "every certificate in gateway.ca_bundle has expired")
	}
	for _, c := range all {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text, notes, nil
}

// certificates reads PEM that holds certificates and nothing else. A key that was put
// there by mistake would become readable to more people than it should be.
func certificates(text []byte) (all []*x509.Certificate, err error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is a %s and not a CERTIFICATE", len(all)+1, clean(block.Type, 40))
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %s", len(all)+1, clean(err.Error(), 100))
		}
		if all = append(all, c); len(all) > maxCertificates {
			return nil, fmt.Errorf("it holds more than %d certificates", maxCertificates)
		}
	}
	if len(all) == 0 || bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return nil, errors.New("it is not PEM with certificates, and nothing but them")
	}
	return all, nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
