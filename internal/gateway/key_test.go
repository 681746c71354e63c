package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

func TestGenerateKeyMakesAKeyThatIsAccepted(t *testing.T) {
	t.Parallel()
	key, err := GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckKey(key.Reveal()); err != nil {
		t.Errorf("CheckKey(GenerateKey()) = %v", err)
	}
	if !strings.HasPrefix(key.Reveal(), "-----BEGIN PRIVATE KEY-----\n") {
		t.Error("the key is not PKCS #8 in PEM")
	}
	other, err := GenerateKey(rand.Reader)
	if err != nil || other == key {
		t.Error("two keys are the same")
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	rsaKey := func(bits int) *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return encode("PRIVATE KEY", der)
	}
	full := rsaKey(2048)
	good := pkcs8(full)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&full.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(good, "\n")
	tests := []struct{ name, key, want string }{
		{"PKCS 8", good, ""},
		{"PKCS 1", encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(full)), ""},
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), ""},
		{"no last line break", strings.TrimSpace(good), ""},
		{"empty", " \n", "empty"},
		{"short", pkcs8(rsaKey(1024)), "1024 bits"},
		{"elliptic curve", pkcs8(curve), "not an RSA key"},
		{"public", encode("PUBLIC KEY", public), "public key"},
		{"certificate", encode("CERTIFICATE", []byte("x")), "other PEM data"},
		{"encrypted", encode("ENCRYPTED PRIVATE KEY", []byte("x")), "encrypted"},
		{"encrypted, traditional", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "encrypted"},
		{"two keys", good + good, "something after"},
		{"escaped line breaks", strings.ReplaceAll(good, "\n", `\n`), `two characters \n`},
		{"one line", strings.Join(lines, " "), "line breaks"},
		{"cut", strings.Join(lines[:4], "\n"), "PEM"},
		{"text", "hunter2-hunter2", "PEM"},
		{"damaged", encode("PRIVATE KEY", []byte("hunter2")), "cannot be read"},
		{"damaged PKCS 1", encode("RSA PRIVATE KEY", []byte("hunter2")), "cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := CheckKey(tt.key)
			if tt.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), lines[1]) {
				t.Errorf("the key shows: %v", err)
			}
		})
	}
}

func FuzzCheckKey(f *testing.F) {
	f.Add("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if err := CheckKey(text); err != nil && len(err.Error()) > 120 {
			t.Errorf("the error is long enough to hold the key: %v", err)
		}
	})
}
