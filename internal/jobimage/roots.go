package jobimage

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsFile is where Go, and OpenSSL on most systems, look for authorities.
// Source: crypto/x509, root_linux.go.
const rootsFile = "etc/ssl/certs/ca-certificates.crt"

// authorities are the root certificates that Mozilla trusts, in PEM, as the
// pinned version of golang.org/x/crypto/x509roots carries them. Those under a
// condition, which a PEM file cannot express, are left out.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		// A bytes.Buffer takes everything.
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return out.Bytes()
}
