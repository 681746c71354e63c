package gitlab

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A client that knows nothing but the discovery document checks a token.
func TestDiscoveryLeadsToTheKey(t *testing.T) {
	t.Parallel()
	server := New(Options{Root: "/gitlab"})
	var discovery struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(ask(server, "GET", "http://gitlab.example.com:8080/gitlab/.well-known/openid-configuration").Body, &discovery); err != nil {
		t.Fatal(err)
	}
	if discovery.Issuer != "http://gitlab.example.com:8080/gitlab" || discovery.JWKS != discovery.Issuer+"/oauth/discovery/keys" {
		t.Fatalf("%+v", discovery)
	}
	var set struct {
		Keys []struct{ Kid, Kty, N, E string }
	}
	if err := json.Unmarshal(ask(server, "GET", discovery.JWKS).Body, &set); err != nil || len(set.Keys) != 1 || set.Keys[0].Kty != "RSA" {
		t.Fatalf("%+v, %v", set, err)
	}
	number := func(s string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b)
	}
	public := &rsa.PublicKey{N: number(set.Keys[0].N), E: int(number(set.Keys[0].E).Int64())}

	parts := strings.Split(server.Sign(map[string]any{"sub": "instance"}, time.Minute), ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], number(parts[2]).FillBytes(make([]byte, public.Size()))); err != nil {
		t.Error(err)
	}
}

func registryTokenOf(t *testing.T, s *Server, query, user, password string) (status int, token string) {
	t.Helper()
	header := []string{}
	if user != "" {
		header = []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
	}
	a := ask(s, "GET", "/jwt/auth?"+query, header...)
	var body struct{ Token string }
	_ = json.Unmarshal(a.Body, &body)
	return a.Status, body.Token
}

func TestRegistryToken(t *testing.T) {
	t.Parallel()
	const open, closed = "group/open", "group/closed"
	server := New(Options{Private: []string{closed}})
	service := "service=container_registry"
	for _, tt := range []struct {
		name, query, user, password string
		status                      int
		repository, action          string
		granted                     bool
	}{
		{"anonymous", service + "&scope=repository:group/open:pull", "", "", 200, open, "pull", true},
		{"anonymous may not push", service + "&scope=repository:group/open:pull,push", "", "", 200, open, "push", false},
		{"anonymous and private", service + "&scope=repository:group/closed:pull", "", "", 200, closed, "pull", false},
		{"anonymous and below private", service + "&scope=repository:group/closed/image:pull", "", "", 200, closed + "/image", "pull", false},
		{"deploy token", service + "&scope=repository:group/closed:pull", RegistryUser, RegistryPassword, 200, closed, "pull", true},
		{"deploy token may not push", service + "&scope=repository:group/closed:push", RegistryUser, RegistryPassword, 200, closed, "push", false},
		{"pusher", service + "&scope=repository:group/closed:pull,push", RegistryPusher, RegistryPassword, 200, closed, "push", true},
		{"job", service + "&scope=repository:group/closed:pull", "gitlab-ci-token", JobToken, 200, closed, "pull", true},
		{"another repository", service + "&scope=repository:group/open:pull", "", "", 200, "group/other", "pull", false},
		{"two scopes", service + "&scope=repository:a:pull&scope=repository:b:pull", "", "", 200, "b", "pull", true},
		{"login", service, RegistryUser, RegistryPassword, 200, "", "", true},
		{"wrong password", service + "&scope=repository:group/open:pull", RegistryUser, "wrong", 401, "", "", false},
		{"nothing asked by nobody", service, "", "", 403, "", "", false},
		{"another service", "service=docker", "", "", 404, "", "", false},
		{"nonsense", service + "&scope=nonsense", "", "", 200, open, "pull", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, token := registryTokenOf(t, server, tt.query, tt.user, tt.password)
			if status != tt.status || server.Grants(token, tt.repository, tt.action) != tt.granted {
				t.Errorf("status %d, granted %v", status, !tt.granted)
			}
		})
	}
}

func TestRegistryTokenExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := New(Options{TokenLife: time.Minute})
		_, token := registryTokenOf(t, server, "service=container_registry&scope=repository:a:pull", "", "")
		time.Sleep(59 * time.Second)
		if !server.Grants(token, "a", "pull") {
			t.Error("refused before its end")
		}
		time.Sleep(2 * time.Second)
		if server.Grants(token, "a", "pull") {
			t.Error("good after its end")
		}
	})
}

func FuzzGrants(f *testing.F) {
	server := New(Options{})
	good := server.Sign(map[string]any{"aud": "container_registry"}, time.Hour)
	f.Add("a.b.c")
	f.Add("..")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		if token != good && server.Grants(token, "", "") {
			t.Errorf("granted %q", token)
		}
	})
}

func FuzzGrant(f *testing.F) {
	server := New(Options{Private: []string{"closed"}})
	f.Add("repository:group/image:pull,push")
	f.Add("repository:host:5000/image:pull")
	f.Add("::")
	f.Fuzz(func(t *testing.T, scope string) {
		a, ok := server.grant(scope, "")
		if ok && (server.private(a.Name) || len(a.Actions) == 0) {
			t.Errorf("%q: %+v", scope, a)
		}
	})
}
