package gitlab

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// keyID names the instance's one signing key in its key set, until it gets another.
const keyID = "lab-signing-key"

// signingKey is what the instance signs with, and shows the public half of.
type signingKey struct {
	id  string
	key func() *rsa.PrivateKey
}

// RotateKey gives the instance another signing key, and forgets the one it had. Who
// has read the key set does not know it: a gateway keeps what it read for a day.
func (s *Server) RotateKey() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotations++
	s.key = signingKey{keyID + "-" + strconv.Itoa(s.rotations+1), sync.OnceValue(newKey)}
}

// signing is the key of the moment.
func (s *Server) signing() (id string, key *rsa.PrivateKey) {
	s.mu.Lock()
	k := s.key
	s.mu.Unlock()
	return k.id, k.key()
}

// oneKey is made when it is first wanted, which takes a while, and then serves every
// instance of this process: it protects nothing.
var oneKey = sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system has no randomness
	}
	return key
}

// discovery is the start of what the gateway needs in order to trust GitLab's
// tokens. Source: docs.gitlab.com/integration/openid_connect_provider.
func (s *Server) discovery(w http.ResponseWriter, r *http.Request) {
	url := s.address(r)
	answer(w, http.StatusOK, map[string]any{
		"issuer":                                url,
		"authorization_endpoint":                url + "/oauth/authorize",
		"token_endpoint":                        url + "/oauth/token",
		"userinfo_endpoint":                     url + "/oauth/userinfo",
		"jwks_uri":                              url + "/oauth/discovery/keys",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// keys is the key set (RFC 7517).
func (s *Server) keys(w http.ResponseWriter, _ *http.Request) {
	id, key := s.signing()
	public := key.PublicKey
	answer(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
		"n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes()),
	}}})
}

// Sign makes a JSON web token (RFC 7519, RS256) with the instance's key. Claims
// iat, nbf and exp are added; exp is after life.
func (s *Server) Sign(claims map[string]any, life time.Duration) string {
	now := time.Now()
	all := map[string]any{"iat": now.Unix(), "nbf": now.Add(-5 * time.Second).Unix(), "exp": now.Add(life).Unix()}
	maps.Copy(all, claims)
	id, key := s.signing()
	signed := segment(map[string]any{"typ": "JWT", "alg": "RS256", "kid": id}) + "." + segment(all)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // the key is our own
	}
	return signed + "." + encode(signature)
}

// verify reads the claims of a token that this instance signed and that has not expired.
func (s *Server) verify(token string, claims any) error {
	signed, signature, ok := cutLast(token, ".")
	if !ok {
		return errors.New("not a web token")
	}
	_, payload, _ := strings.Cut(signed, ".")
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(signed))
	_, key := s.signing()
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
		return err
	}
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return err
	}
	var life struct{ Exp int64 }
	if err := json.Unmarshal(data, &life); err != nil {
		return err
	}
	if time.Now().Unix() >= life.Exp {
		return errors.New("expired")
	}
	return json.Unmarshal(data, claims)
}

func segment(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // claims are plain values
	}
	return encode(data)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
