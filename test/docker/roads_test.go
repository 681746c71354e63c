//go:build docker

package docker

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"aigw-ci/internal/lab/pki"
)

// upgrades takes a gateway through a first install and an upgrade, rehearsals
// included, on whatever road the world's settings lead to the engine.
func (w *world) upgrades() {
	w.Helper()
	w.install()
	w.estate.SetVersion("18.3.6-ee")
	r := w.run("upgrade", 0, "upgraded")
	w.serves(tag183)
	for _, stage := range []string{"rehearsal", "live"} {
		for _, id := range []string{"gateway.healthz", "gateway.auth", "gateway.gitlab", "gateway.digest", "gateway.stable"} {
			if c := r.Check(id, stage); !c.Good() {
				w.Errorf("%s of the %s: %s, %s", id, stage, c.Verdict, c.Detail)
			}
		}
	}
	w.alone()
}

// An engine that listens on TCP wants a certificate from its clients. Source:
// docs.docker.com/engine/security/protect-access.
func TestRoadTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	authority, err := pki.New("engine")
	if err != nil {
		t.Fatal(err)
	}
	w.settings["DOCKER_HOST"] = "tcp://" + serveTLS(t, w.Socket, authority)
	w.settings["DOCKER_TLS_VERIFY"] = "1"

	strangers, err := pki.New("somebody else")
	if err != nil {
		t.Fatal(err)
	}
	w.settings["DOCKER_CERT_PATH"] = clientCertificate(t, strangers, authority)
	w.run("plan", 1, "failed").Says(t, "DOCKER_CERT_PATH")
	w.settings["DOCKER_CERT_PATH"] = clientCertificate(t, authority, strangers)
	w.run("plan", 1, "failed").Says(t, "ca.pem")

	w.settings["DOCKER_CERT_PATH"] = clientCertificate(t, authority, authority)
	w.upgrades()
}

// serveTLS puts TLS in front of the engine's socket until the test ends: clients need
// a certificate of the authority. It returns the address.
func serveTLS(t *testing.T, socket string, authority *pki.Authority) string {
	t.Helper()
	certificate, err := authority.Issue("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{*certificate},
		ClientAuth:   tls.RequireAnyClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			// The lab's certificates are for servers; who signed them is what counts here.
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go splice(conn.(*tls.Conn), socket)
		}
	}()
	return listener.Addr().String()
}

// splice joins a connection with the engine's socket. The end of one direction is
// passed on alone: the engine's attached streams go on in the other.
func splice(near *tls.Conn, socket string) {
	defer near.Close()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	far := conn.(*net.UnixConn)
	defer far.Close()
	there := make(chan struct{})
	go func() {
		defer close(there)
		_, err := io.Copy(far, near)
		if err != nil && !errors.Is(err, io.EOF) {
			_ = far.Close() // the client is gone, and not just silent
			return
		}
		_ = far.CloseWrite()
	}()
	_, _ = io.Copy(near, far)
	_ = near.CloseWrite()
	_ = near.Close()
	<-there
}

// clientCertificate is a DOCKER_CERT_PATH: a certificate that signer gives to a
// client, which trusts engines of another.
func clientCertificate(t *testing.T, signer, trusted *pki.Authority) string {
	t.Helper()
	certificate, err := signer.Issue("client.example.com")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"ca.pem":   trusted.PEM(),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
