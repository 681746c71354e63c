package gateway

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"time"
)

// authenticate returns what is wrong with a request's credentials, in the words of
// the real gateway; "" lets it in.
func (g *gateway) authenticate(r *http.Request) string {
	if g.settings.Bypass || g.settings.BypassWithHeader && r.Header.Get("Bypass-Auth") == "true" {
		return ""
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return "No authorization header presented"
	}
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return "Invalid authorization header"
	}
	if r.Header.Get("X-Gitlab-Authentication-Type") != "oidc" {
		return "Invalid authentication token type - only OIDC is supported"
	}
	claims, ok := g.keys.verify(token)
	if !ok {
		return "Forbidden by auth provider"
	}
	if claims.Realm != "" && claims.Realm != r.Header.Get("X-Gitlab-Realm") {
		return "Header mismatch 'X-Gitlab-Realm'"
	}
	if claims.Subject != "" && claims.Subject != r.Header.Get("X-Gitlab-Instance-Id") {
		return "Header mismatch 'X-Gitlab-Instance-Id'"
	}
	return ""
}

// claims are what the gateway reads of a token. The subject is the instance's ID.
type claims struct {
	Subject string `json:"sub"`
	Realm   string `json:"gitlab_realm"`
	Expires int64  `json:"exp"`
}

// verify checks a token of RFC 7519, signed with RS256 by one of the keys.
func (k *keySet) verify(token string) (claims, bool) {
	var c claims
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return c, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil {
		return c, false
	}
	sum := sha256.Sum256([]byte(token[:i]))
	if !k.signed(sum[:], signature) {
		return c, false
	}
	_, payload, _ := strings.Cut(token[:i], ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(data, &c) != nil {
		return c, false
	}
	return c, time.Now().Unix() < c.Expires
}

func (k *keySet) signed(sum, signature []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum, signature) == nil {
			return true
		}
	}
	return false
}

// checkKeys says which of the given keys cannot be used.
func (g *gateway) checkKeys() {
	for _, name := range keyVariables() {
		if value, given := g.settings.Keys[name]; given && badKey(value) {
			g.log.Error("JWKError: Could not deserialize key data. The data may be in an incorrect format, it may be encrypted with an unsupported algorithm, or it may be an unsupported key type", "variable", name)
		}
	}
}

// badKey reports whether a text is not an RSA private key in PEM.
func badKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return true
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return false
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, isRSA := key.(*rsa.PrivateKey)
	return err != nil || !isRSA
}
