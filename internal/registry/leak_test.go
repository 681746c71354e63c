package registry

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stranger is a server on another host that wants credentials and writes down what
// it is given. 127.0.0.1 and localhost are two hosts, as far as names go.
func stranger(t *testing.T, answer http.HandlerFunc) (address string, given func() []string) {
	t.Helper()
	var got atomic.Value
	got.Store([]string{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(bytes.Buffer)
		_, _ = body.ReadFrom(r.Body)
		got.Store(append(got.Load().([]string), fmt.Sprint(r.Method, " ", r.URL, " ", r.Header["Authorization"], " ", r.Header["Cookie"], " ", body)))
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1), func() []string { return got.Load().([]string) }
}

// Whoever a registry points to, the credentials stay where they belong.
func TestCredentialsDoNotLeak(t *testing.T) {
	t.Parallel()
	token := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"access_token":"t:%s"}`, r.URL.Query().Get("scope"))
	}
	demand := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token", Basic realm="x"`)
		w.WriteHeader(401)
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		change func(e *estate, address string)
		called bool
		works  bool
		want   string
	}{
		{"token service elsewhere, anonymous pulls", token, func(e *estate, a string) { e.realm = a + "/token" }, true, true, ""},
		{"token service elsewhere, no anonymous pulls", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) },
			func(e *estate, a string) { e.realm = a + "/token" }, true, false, "asked anonymously, since the credentials from registry.user are for "},
		{"token service redirects", token, func(e *estate, a string) {
			e.before = redirect("/token", a)
		}, false, false, "302 Found"},
		{"listing redirects", demand, func(e *estate, a string) {
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				return r.Header.Get("Authorization") != "" && redirect("/tags/list", a)(w, r)
			}
		}, true, false, "401 Unauthorized"},
		{"manifest redirects", demand, func(e *estate, a string) { e.before = redirect("/manifests/", a) }, true, false, "401 Unauthorized"},
		{"blob redirects", demand, func(e *estate, a string) {
			e.heads[""] = e.image("linux/amd64").digest
			e.before = redirect("/blobs/", a)
		}, true, true, ""},
		{"link leads elsewhere", demand, func(e *estate, a string) {
			e.tags, e.maxPage = stable(), 5
			shuffle(e.tags)
			e.ignoresLast = true
		}, false, false, "circle"},
		{"redirect to no TLS", demand, func(e *estate, a string) {
			e.before = redirect("/manifests/", "http://registry.example.com")
		}, false, false, "it redirects to http://registry.example.com, which is not https"},
		{"token service without TLS", demand, func(e *estate, a string) {
			e.realm = "http://gitlab.example.com/jwt/auth"
		}, false, false, `token service "http://gitlab.example.com" is not on https`},
		{"token service is no address", demand, func(e *estate, a string) { e.realm = "jwt/auth" }, false, false, `no address: "jwt/auth"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address, given := stranger(t, tt.answer)
			e := newEstate(t, "self-hosted-v18.2.8-ee")
			tt.change(e, address)
			_, err := e.registry(login("alice", hidden)).Find(t.Context(), gitlab(t, "18.2.1-ee"), "")
			if (err == nil) != tt.works || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if called := len(given()) > 0; called != tt.called {
				t.Errorf("the stranger saw %q", given())
			}
			for _, g := range given() {
				if strings.Contains(g, "Basic") || strings.Contains(g, "Bearer") || strings.Contains(g, "t:repository") {
					t.Errorf("the stranger was given %s", g)
				}
			}
		})
	}
}

func redirect(at, to string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, at) {
			return false
		}
		http.Redirect(w, r, to+r.URL.Path, http.StatusFound)
		return true
	}
}

// A registry that speaks TLS must not have its token carried in the open because it
// redirects to itself without.
func TestRedirectToTheSameHostInTheOpen(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.8-ee")
	e.before = redirect("/manifests/", e.server.URL)
	if _, err := e.registry().Find(t.Context(), gitlab(t, "18.2.1-ee"), ""); err == nil {
		t.Error("an endless redirect was followed to its end")
	}
	if shown, all := e.asked("-ee Bearer"), e.asked("/manifests/"); shown != 1 || all != 1+maxRedirects {
		t.Errorf("%d requests for the manifest, %d with the token; want %d and 1", all, shown, 1+maxRedirects)
	}
}

// The configured GitLab is the token service of its registry, wherever that is.
func TestTrustedRealmGetsTheCredentials(t *testing.T) {
	t.Parallel()
	for _, identity := range []bool{false, true} {
		address, given := stranger(t, func(w http.ResponseWriter, r *http.Request) {
			scope := r.URL.Query().Get("scope")
			if identity {
				scope = "repository:" + path + ":pull"
			}
			fmt.Fprintf(w, `{"token":"t:%s","expires_in":900}`, scope)
		})
		e := newEstate(t, "self-hosted-v18.2.8-ee")
		e.realm = address + "/jwt/auth?service=wrong&keep=this"
		r := e.registry(login("alice", hidden), func(o *Options) {
			o.TrustedRealms = []string{"LOCALHOST:8080"}
			if identity {
				o.User, o.Password = "", ""
				o.Environment = env("DOCKER_AUTH_CONFIG", `{"auths":{"`+e.host()+`":{"identitytoken":"`+hidden+`"}}}`)
			}
		})
		if _, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), ""); err != nil {
			t.Fatal(err)
		}
		want := []string{"GET /jwt/auth?keep=this&scope=repository%3Agroup%2Fmodel-gateway%3Apull&service=container_registry" +
			" [Basic YWxpY2U6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==] [] "}
		if identity {
			want = []string{"POST /jwt/auth?service=wrong&keep=this [] [] client_id=aigw-ci&grant_type=refresh_token&refresh_token=" +
				hidden + "&scope=repository%3Agroup%2Fmodel-gateway%3Apull&service=container_registry"}
		}
		if diff := cmp.Diff(want, given()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRealmsTrusted(t *testing.T) {
	t.Parallel()
	rs := newRealms([]string{"gitlab.corp.example.com:8443", "10.0.0.9", "GitLab.Internal.", "[fd00::1]:443", ""})
	for _, tt := range []struct {
		registry, realm string
		want            bool
	}{
		{"registry.gitlab.com", "gitlab.com", true},
		{"registry.gitlab.com", "registry.gitlab.com", true},
		{"registry.gitlab.com:443", "GITLAB.com.", true},
		{"registry.gitlab.com", "evil.gitlab.com", false},
		{"registry.gitlab.com", "notgitlab.com", false},
		{"registry.gitlab.com", "com", false},
		{"registry.gitlab.com", "gitlab.com.evil.example.com", false},
		{"index.docker.io", "auth.docker.io", true},
		{"index.docker.io", "docker.io", false},
		{"registry.example.com", "auth.docker.io", false},
		{"registry.example.co.uk", "example.co.uk", true},
		{"registry.co.uk", "co.uk", false},
		{"someone.github.io", "github.io", false},
		{"registry.corp", "corp", false},
		{"registry.example.com", "auth.example.com", false},
		{"registry.example.com", "gitlab.corp.example.com", true},
		{"registry.example.com", "gitlab.internal", true},
		{"10.0.0.5:5050", "10.0.0.5", true},
		{"10.0.0.5:5050", "10.0.0.6", false},
		{"10.0.0.5:5050", "10.0.0.9", true},
		{"10.0.0.5:5050", "0.5", false},
		{"[fd00::2]:5050", "fd00::1", true},
		{"[fd00::2]:5050", "fd00::2", true},
		{"registry.example.com", "", false},
	} {
		if got := rs.trusted(tt.registry, tt.realm); got != tt.want {
			t.Errorf("credentials of %s may go to %s: %v, want %v", tt.registry, tt.realm, got, tt.want)
		}
	}
}

// Only a peer that speaks no TLS is spoken to without: a certificate that does not
// verify is somebody in between.
func TestPlainIsNoWayAroundCertificates(t *testing.T) {
	t.Parallel()
	var plain atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { plain.Add(1) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	r, err := New(Options{Repositories: []string{server.Listener.Addr().String() + "/a/b"}, Transport: road(t)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Find(t.Context(), gitlab(t, "18.2.1-ee"), "")
	if err == nil || !strings.Contains(err.Error(), "certificate") || plain.Load() != 0 {
		t.Errorf("error %v, %d requests answered", err, plain.Load())
	}
	for host, want := range map[string]bool{
		"registry.gitlab.com": false, "8.8.8.8:5000": false, "localhost:5000": true, "127.0.0.1": true, "10.0.0.5:5050": true,
		"192.168.1.1": true, "172.16.0.1:80": true, "172.32.0.1:80": false, "registry.localhost:5000": true, "localhost.example.com:80": false,
	} {
		if plainAllowed(host) != want {
			t.Errorf("plain HTTP to %s: %v, want %v", host, !want, want)
		}
	}
}
