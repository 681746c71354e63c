package docker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// withTLS puts TLS on top of dial. dir has the files that Docker's tools look for
// in DOCKER_CERT_PATH: ca.pem signs the engine's certificate, cert.pem and key.pem
// are ours. Without dir the system's roots are used and no certificate is shown.
// Source: docs.docker.com/engine/security/protect-access.
func withTLS(dial dialFunc, name, dir string, verify bool) (dialFunc, error) {
	config := &tls.Config{
		ServerName:         name,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: !verify, // DOCKER_TLS_VERIFY decides, as for Docker's own tools; Connect warns
	}
	if dir != "" {
		if err := readCertificates(config, dir, verify); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secured, nil
	}, nil
}

func readCertificates(config *tls.Config, dir string, verify bool) error {
	const remedy = "DOCKER_CERT_PATH needs ca.pem, cert.pem and key.pem"
	if verify {
		ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
		if err != nil {
			return fmt.Errorf("reading the engine's authority: %w: %s", err, remedy)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return fmt.Errorf("%s holds no certificate in PEM format: %s", filepath.Join(dir, "ca.pem"), remedy)
		}
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	switch {
	case err == nil:
		config.Certificates = []tls.Certificate{cert}
	case !errors.Is(err, fs.ErrNotExist) || exists(dir, "cert.pem") || exists(dir, "key.pem"):
		return fmt.Errorf("reading our certificate for the engine: %w: %s", err, remedy)
	}
	return nil // an engine may ask for no certificate
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}
