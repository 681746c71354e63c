package gateway

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"aigw-ci/internal/secret"
)

// keyBits is the length of the keys GitLab's page has users generate ("openssl
// genrsa 2048"). Source: docs.gitlab.com/install/install_ai_gateway, "Both keys
// in a pair must be RSA 2048-bit private keys in PEM format".
const keyBits = 2048

// GenerateKey makes a key for one of Needs.Keys: an RSA private key of 2048 bits,
// as PKCS #8 in PEM, which is what openssl genrsa writes. It takes a tenth of a
// second or so. Which random source is used is up to crypto/rsa, which ignores
// random since Go 1.26.
func GenerateKey(random io.Reader) (secret.Value, error) {
	key, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return "", fmt.Errorf("generating an RSA key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encoding an RSA key: %w", err)
	}
	return secret.Value(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// CheckKey reports why a gateway could not sign with the key in text; nil means
// that it can. It wants one RSA private key of at least 2048 bits, not encrypted,
// in PEM. No error contains a part of the key.
func CheckKey(text string) error {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return noKey(text)
	}
	if strings.TrimSpace(string(rest)) != "" {
		return errors.New("there is something after the key: give the one key alone")
	}
	if block.Headers["DEK-Info"] != "" {
		return errors.New("the key is encrypted: the gateway cannot ask for a password")
	}
	key, err := parseKey(block)
	if err != nil {
		return err
	}
	if bits := key.N.BitLen(); bits < keyBits {
		return fmt.Errorf("the RSA key has %d bits, the gateway needs %d: generate one with openssl genrsa %d", bits, keyBits, keyBits)
	}
	return nil
}

func noKey(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("the key is empty")
	case strings.Contains(text, `\n`):
		return errors.New(`the key has the two characters \n where line breaks belong`)
	case strings.Contains(text, "-----BEGIN") && !strings.Contains(text, "\n"):
		return errors.New("the key has lost its line breaks: quote it, or read it from a file")
	}
	return errors.New("this is no key in PEM format (-----BEGIN PRIVATE KEY-----)")
}

func parseKey(block *pem.Block) (*rsa.PrivateKey, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the RSA private key cannot be read")
		}
		return key, nil
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the private key cannot be read")
		}
		if key, ok := key.(*rsa.PrivateKey); ok {
			return key, nil
		}
		return nil, errors.New("this is not an RSA key: generate one with openssl genrsa 2048")
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key is encrypted: the gateway cannot ask for a password")
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return nil, errors.New("this is a public key: the gateway needs private keys, also for validation")
	}
	return nil, errors.New("this is no RSA private key but other PEM data")
}
