package engine

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// registryAuth reads an X-Registry-Auth header: base64 (either alphabet) of
// JSON. An empty one is anonymous.
func registryAuth(header string) (authn.Authenticator, error) {
	if header == "" {
		return authn.Anonymous, nil
	}
	header = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(header), "=")
	raw, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid X-Registry-Auth header: not base64")
	}
	var given struct{ Username, Password, IdentityToken, RegistryToken string }
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid X-Registry-Auth header: not JSON")
	}
	if given == (struct{ Username, Password, IdentityToken, RegistryToken string }{}) {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: given.Username, Password: given.Password,
		IdentityToken: given.IdentityToken, RegistryToken: given.RegistryToken,
	}), nil
}
