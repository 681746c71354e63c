package gitlab

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/lab/wire"
)

func ask(h http.Handler, method, path string, header ...string) *wire.Captured {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return wire.Capture(h, r)
}

func TestWhoMayAskForTheVersion(t *testing.T) {
	t.Parallel()
	const (
		unauthorized = `{"message":"401 Unauthorized"}`
		narrow       = `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api read_user ai_features"}`
		expired      = `{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`
		revoked      = `{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`
	)
	server := New(Options{})
	for _, tt := range []struct {
		name          string
		header, value string
		status        int
		body          string // "" is the version
	}{
		{"nobody", "", "", 401, unauthorized},
		{"a job token", "JOB-TOKEN", JobToken, 401, unauthorized},
		{"a job token under another name", "PRIVATE-TOKEN", JobToken, 401, unauthorized},
		{"an unknown token", "PRIVATE-TOKEN", "glpat-unknown", 401, unauthorized},
		{"an unknown bearer", "Authorization", "Bearer glpat-unknown", 401, unauthorized},
		{"basic credentials", "Authorization", "Basic " + TokenAPI, 401, unauthorized},
		{"api", "PRIVATE-TOKEN", TokenAPI, 200, ""},
		{"read_api", "PRIVATE-TOKEN", TokenReadAPI, 200, ""},
		{"read_api as bearer", "Authorization", "Bearer " + TokenReadAPI, 200, ""},
		{"read_user", "PRIVATE-TOKEN", TokenReadUser, 200, ""},
		{"ai_features", "PRIVATE-TOKEN", TokenAIFeatures, 200, ""},
		{"read_repository", "PRIVATE-TOKEN", TokenReadRepository, 403, narrow},
		{"expired", "PRIVATE-TOKEN", TokenExpired, 401, expired},
		{"revoked", "Authorization", "Bearer " + TokenRevoked, 401, revoked},
		{"blocked", "PRIVATE-TOKEN", TokenBlocked, 403, `{"message":"403 Forbidden - Your account has been blocked."}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/api/v4/metadata", "/api/v4/version"} {
				a := ask(server, "GET", path, tt.header, tt.value)
				if a.Status != tt.status || tt.body != "" && string(a.Body) != tt.body {
					t.Errorf("%s: %d %s", path, a.Status, a.Body)
				}
				if a.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s: %s", path, a.Header)
				}
				if challenged := a.Header.Get("WWW-Authenticate") != ""; challenged != strings.Contains(tt.body, "error_description") {
					t.Errorf("%s: challenge %v", path, challenged)
				}
			}
		})
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	server := New(Options{Version: "18.1.1-ee", Root: "/gitlab"})
	get := func() string {
		return string(ask(server, "GET", "/gitlab/api/v4/metadata", "PRIVATE-TOKEN", TokenReadAPI).Body)
	}
	// The sample of docs.gitlab.com/api/metadata.
	want := `{"version":"18.1.1-ee","revision":"ceb07b24cb0","kas":{"enabled":true,"externalUrl":"grpc://gitlab.example.com:8150",` +
		`"externalK8sProxyUrl":"https://gitlab.example.com:8150/k8s-proxy","version":"18.1.1"},"enterprise":true}`
	if diff := cmp.Diff(want, get()); diff != "" {
		t.Error(diff)
	}
	server.SetVersion("18.3.6")
	if got := get(); !strings.Contains(got, `"version":"18.3.6"`) || !strings.Contains(got, `"enterprise":false`) {
		t.Error(got)
	}
	if a := ask(server, "HEAD", "/gitlab/api/v4/version", "PRIVATE-TOKEN", TokenReadAPI); a.Status != 200 {
		t.Errorf("HEAD: %d", a.Status)
	}
	if a := ask(server, "GET", "/api/v4/metadata", "PRIVATE-TOKEN", TokenReadAPI); a.Status != 404 {
		t.Errorf("outside the relative root: %d", a.Status)
	}
	if a := ask(server, "GET", "/gitlab/api/v4/nothing"); a.Status != 404 || string(a.Body) != `{"error":"404 Not Found"}` {
		t.Errorf("unknown path: %d %s", a.Status, a.Body)
	}
	if n := server.Log().Count("", "/api/v4/metadata"); n != 3 {
		t.Errorf("counted %d requests", n)
	}
}

func TestProbesAreForTheMachineItself(t *testing.T) {
	t.Parallel()
	server := New(Options{})
	for from, want := range map[string]int{"127.0.0.9:1": 200, "172.17.0.2:1": 404} {
		r := httptest.NewRequest("GET", "/-/health", nil)
		r.RemoteAddr = from
		if a := wire.Capture(server, r); a.Status != want || want == 404 && len(a.Body) > 0 {
			t.Errorf("from %s: %d %q", from, a.Status, a.Body)
		}
	}
}

func TestFaultShapes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		status int
		media  string
		retry  string
		body   string
	}{
		"deploy-page":    {200, "text/html", "", "<!DOCTYPE html>"},
		"sign-in":        {200, "text/html", "", "Sign in"},
		"bad-gateway":    {502, "text/plain", "", "GitLab is not responding"},
		"rack-attack":    {429, "text/plain", "2", "Retry later\n"},
		"rate-limit":     {429, "application/json", "2", `{"message":{"error":"This endpoint has been requested too many times. Try again later."}}`},
		"maintenance":    {503, "application/json", "900", "system is in maintenance mode"},
		"overloaded":     {503, "application/json", "2", "503"},
		"internal-error": {500, "application/json", "", `{"message":"500 Internal Server Error"}`},
		"redirect":       {302, "text/html", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Fault(name, "http://elsewhere.example.com")
			if err != nil {
				t.Fatal(err)
			}
			server := New(Options{})
			server.SetFaults(f.On("", "/api/").For(1))
			if a := ask(server, "GET", "/oauth/discovery/keys"); a.Status != 200 {
				t.Errorf("another path: %d", a.Status)
			}
			a := ask(server, "GET", "/api/v4/version", "PRIVATE-TOKEN", TokenAPI)
			if a.Status != want.status || !strings.HasPrefix(a.Header.Get("Content-Type"), want.media) ||
				a.Header.Get("Retry-After") != want.retry || !strings.Contains(string(a.Body), want.body) {
				t.Errorf("%d %v %q", a.Status, a.Header, a.Body)
			}
			if a := ask(server, "GET", "/api/v4/version", "PRIVATE-TOKEN", TokenAPI); a.Status != 200 {
				t.Errorf("afterwards: %d", a.Status)
			}
		})
	}
	for _, name := range []string{"dropped", "hanging", "truncated", "slow", "endless"} {
		if _, err := Fault(name, ""); err != nil {
			t.Error(err)
		}
	}
	if _, err := Fault("flood", ""); err == nil || !strings.Contains(err.Error(), "rack-attack") {
		t.Errorf("unknown fault: %v", err)
	}
}

func TestRackAttackHeaders(t *testing.T) {
	t.Parallel()
	server := New(Options{})
	server.SetFaults(RackAttack(3 * time.Second))
	web := httptest.NewServer(server)
	defer web.Close()
	r, err := http.Get(web.URL + "/api/v4/version")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	for _, name := range []string{"RateLimit-Limit", "RateLimit-Name", "RateLimit-Observed", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-ResetTime"} {
		if r.Header.Get(name) == "" {
			t.Errorf("no %s in %v", name, r.Header)
		}
	}
}
