package gateway

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
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
	select { // the real one reads the keys for its first user, who waits for them
	case <-g.fetched:
	case <-r.Context().Done():
	}
	claims, problem := g.keys.verify(token)
	if problem != nil {
		// The client is not told why, the log is.
		g.log.Error("Failed to authenticate user through the cloud connector", "logger", "cloud_connector.providers",
			"exception", "Traceback (most recent call last):\n  File \"/home/aigateway/app/cloud_connector/providers.py\", line 131, in authenticate\n"+problem.Error())
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

// audience is who GitLab makes tokens for.
const audience = "gitlab-ai-gateway"

// claims are what the gateway reads of a token. The subject is the instance's ID.
type claims struct {
	Subject  string `json:"sub"`
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Realm    string `json:"gitlab_realm"`
	Expires  int64  `json:"exp"`
	Begins   int64  `json:"nbf"`
}

// verify checks a token of RFC 7519, signed with RS256 by one of the keys. Claims
// that are not there are not checked, but for the end. The errors are those of the
// library of the real one, python-jose.
func (k *keySet) verify(token string) (claims, error) {
	var c claims
	issuer, known := k.state()
	if !known {
		return c, errors.New("CriticalAuthError: No keys founds in JWKS; are OIDC providers up?") //nolint:staticcheck // the real one's words
	}
	i := strings.LastIndexByte(token, '.')
	if i < 0 || strings.Count(token, ".") != 2 {
		return c, errors.New("jose.exceptions.JWSError: Not enough segments")
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil {
		return c, errors.New("jose.exceptions.JWSError: Invalid crypto padding")
	}
	sum := sha256.Sum256([]byte(token[:i]))
	if !k.signed(sum[:], signature) {
		return c, errors.New("jose.exceptions.JWTError: Signature verification failed.")
	}
	_, payload, _ := strings.Cut(token[:i], ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(data, &c) != nil {
		return c, errors.New("jose.exceptions.JWTError: Invalid payload string")
	}
	switch now := time.Now().Unix(); {
	case now >= c.Expires:
		return c, errors.New("jose.exceptions.ExpiredSignatureError: Signature has expired.")
	case now < c.Begins:
		return c, errors.New("jose.exceptions.JWTClaimsError: The token is not yet valid (nbf)")
	case c.Audience != "" && c.Audience != audience:
		return c, errors.New("jose.exceptions.JWTClaimsError: Invalid audience")
	case c.Issuer != "" && c.Issuer != issuer:
		return c, errors.New("jose.exceptions.JWTClaimsError: Invalid issuer")
	}
	return c, nil
}

// state is who the keys belong to, and whether there are any.
func (k *keySet) state() (issuer string, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.issuer, len(k.keys) > 0
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
