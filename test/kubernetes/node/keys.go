package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// authority signs the cluster's certificates. They live for a day.
type authority struct {
	place
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// writeKeys makes everything that proves who is who: an authority, what the API server
// shows to its clients and to the kubelet, the key of the service accounts' tokens, an
// administrator, and a kubeconfig for the latter.
func (p place) writeKeys() error {
	a := authority{place: p}
	err := a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	if err != nil {
		return err
	}
	if err := a.issue("apiserver", &x509.Certificate{
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.ParseIP(nodeAddress), net.ParseIP(serviceAPI)},
		DNSNames:    []string{"kubernetes.default.svc", "kubernetes.default", "kubernetes"},
	}); err != nil {
		return err
	}
	client := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if err := a.issue("kubelet-client", client); err != nil {
		return err
	}
	if _, err := a.newKey("sa"); err != nil {
		return err
	}
	token := rand.Text()
	if err := os.WriteFile(p.path("pki/tokens.csv"), []byte(token+",admin,admin,system:masters\n"), 0o600); err != nil {
		return err
	}
	return p.writeKubeconfig(token)
}

// issue writes NAME.key and NAME.crt. The first is the authority's own.
func (a *authority) issue(name string, c *x509.Certificate) error {
	key, err := a.newKey(name)
	if err != nil {
		return err
	}
	if a.key == nil {
		a.key, a.certificate = key, c
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	c.SerialNumber, c.Subject = serial, pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("signing the certificate of %s: %w", name, err)
	}
	return os.WriteFile(a.path("pki/"+name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

func (a *authority) newKey(name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(a.path("pki/"+name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// writeKubeconfig writes one file that says it all, for the parts and for the command.
func (p place) writeKubeconfig(token string) error {
	ca, err := os.ReadFile(p.path("pki/ca.crt"))
	if err != nil {
		return err
	}
	return clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{"test": {Server: p.API(), CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*api.AuthInfo{"admin": {Token: token}},
		Contexts:       map[string]*api.Context{"test": {Cluster: "test", AuthInfo: "admin"}},
		CurrentContext: "test",
	}, p.path("kubeconfig"))
}
