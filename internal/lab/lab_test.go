package lab

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
)

func start(t *testing.T, o Options) *Estate {
	t.Helper()
	e, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func fetch(t *testing.T, client *http.Client, url string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestHashTags(t *testing.T) {
	t.Parallel()
	tags := HashTags(7, 5000)
	if !slices.Equal(tags, HashTags(7, 5000)) || slices.Equal(tags, HashTags(8, 5000)) {
		t.Error("the seed does not decide")
	}
	slices.Sort(tags)
	if len(slices.Compact(tags)) != 5000 {
		t.Error("a tag came twice")
	}
	for _, tag := range tags {
		if len(tag) != 8 || strings.Trim(tag, "0123456789abcdef") != "" {
			t.Fatalf("%q is no commit", tag)
		}
	}
	if n := len(Tags()); n != 60 || !slices.Contains(Tags(), "self-hosted-v18.2.8-ee") {
		t.Errorf("%d named tags", n)
	}
}

// The way of every client: challenge, token from GitLab, listing, manifest.
func TestWayToAnImage(t *testing.T) {
	t.Parallel()
	e := start(t, Options{HashTags: 500, Seed: 1, Root: "/gitlab"})
	const path = "/v2/" + Repository + "/tags/list?n=50&last=self-hosted-v18.2."
	response, err := http.Get("http://" + e.RegistryHost + path)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	challenge := response.Header.Get("WWW-Authenticate")
	realm := e.GitLabURL + "/jwt/auth"
	if want := `Bearer realm="` + realm + `",service="container_registry",scope="repository:` + Repository + `:pull"`; response.StatusCode != 401 || challenge != want {
		t.Fatalf("%d %s, want %s", response.StatusCode, challenge, want)
	}
	_, body := fetch(t, http.DefaultClient, realm+"?"+url.Values{"service": {"container_registry"}, "scope": {"repository:" + Repository + ":pull"}}.Encode())
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(body), &token); err != nil {
		t.Fatal(err)
	}
	status, body := fetch(t, http.DefaultClient, "http://"+e.RegistryHost+path, "Authorization", "Bearer "+token.Token)
	if status != 200 || !strings.Contains(body, `"tags":["self-hosted-v18.2.0-ee",`) {
		t.Errorf("%d %s", status, body)
	}
	status, body = fetch(t, http.DefaultClient, "http://"+e.RegistryHost+"/v2/"+Repository+"/manifests/self-hosted-v18.2.8-ee", "Authorization", "Bearer "+token.Token)
	if status != 200 || !strings.Contains(body, `"schemaVersion":2`) {
		t.Errorf("%d %s", status, body)
	}
	if got := e.Registry.Tags(DockerHub); slices.Contains(got, "latest") || !slices.Contains(got, "self-hosted-v18.5.0-ee") {
		t.Errorf("Docker Hub has %q", got)
	}
}

func TestPrivateRegistryOverTLS(t *testing.T) {
	t.Parallel()
	e := start(t, Options{TLS: true, Private: true, OwnRealm: true})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(e.CA)
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	tag := "self-hosted-v18.4.2-ee"
	if err := e.Publish(tag, gateway.NeverHealthy); err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(e.Repository()+":"+tag, name.StrictValidation)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := fetch(t, &http.Client{Transport: transport}, "https://"+e.RegistryHost+"/v2/"); status != 401 {
		t.Errorf("registry over TLS: %d", status)
	}
	status, body := fetch(t, &http.Client{Transport: transport}, e.GitLabURL+"/api/v4/version", "PRIVATE-TOKEN", gitlab.TokenReadAPI)
	if status != 200 || !strings.Contains(body, `"18.2.1-ee"`) {
		t.Errorf("%d %s", status, body)
	}
	if _, err := remote.Image(ref, remote.WithTransport(transport)); err == nil {
		t.Error("a stranger pulled")
	}
	image, err := remote.Image(ref, remote.WithTransport(transport), remote.WithAuth(&authn.Basic{Username: gitlab.RegistryUser, Password: gitlab.RegistryPassword}))
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil || !slices.Contains(config.Config.Env, "LAB_MODE=never-healthy") {
		t.Errorf("%+v, %v", config, err)
	}
}

func TestExtraAddresses(t *testing.T) {
	t.Parallel()
	e := start(t, Options{ExtraAddrs: []string{"127.0.0.2"}})
	if status, _ := fetch(t, http.DefaultClient, e.GitLabURLAt("127.0.0.2")+"/api/v4/projects"); status != 200 {
		t.Errorf("GitLab: %d", status)
	}
	_, port, _ := net.SplitHostPort(e.RegistryHost)
	response, err := http.Get("http://127.0.0.2:" + port + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := response.Header.Get("WWW-Authenticate"); !strings.Contains(got, `realm="`+e.GitLabURLAt("127.0.0.2")+`/jwt/auth"`) {
		t.Errorf("%s", got)
	}
	if _, err := Start(t.Context(), Options{GitLabAddr: strings.TrimPrefix(e.GitLabURL, "http://")}); err == nil {
		t.Error("two estates on one address")
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	e := start(t, Options{})
	web := httptest.NewServer(e.Control())
	defer web.Close()
	control := func(path string) (int, string) { return fetch(t, http.DefaultClient, web.URL+"/control/"+path) }
	version := func() int {
		status, _ := fetch(t, http.DefaultClient, e.GitLabURL+"/api/v4/version", "PRIVATE-TOKEN", gitlab.TokenReadAPI)
		return status
	}
	if status, body := control("version?set=18.3.6-ee"); status != 200 || e.GitLab.Version() != "18.3.6-ee" || body != "{\"version\":\"18.3.6-ee\"}\n" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := control("publish?tag=self-hosted-v18.3.2-ee&mode=dies-after&after=8s&boot=1s"); status != 200 || !slices.Contains(e.Registry.Tags(Repository), "self-hosted-v18.3.2-ee") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := control("fault?on=gitlab&kind=bad-gateway&times=1"); status != 200 || version() != 502 || version() != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := control("fault?on=gitlab&kind=maintenance"); status != 200 || version() != 503 {
		t.Errorf("%d", status)
	}
	if status, _ := control("fault?on=gitlab"); status != 200 || version() != 200 {
		t.Errorf("%d", status)
	}
	if status, _ := control("fault?on=registry&kind=denied&path=/tags/"); status != 200 {
		t.Errorf("%d", status)
	}
	if status, _ := fetch(t, http.DefaultClient, "http://"+e.RegistryHost+"/v2/x/tags/list"); status != 403 {
		t.Errorf("registry: %d", status)
	}
	if status, body := control("requests"); status != 200 || !strings.Contains(body, `"registry":{"bytes":`) {
		t.Errorf("%d %s", status, body)
	}
	if control("requests?reset=true"); e.GitLab.Log().Requests() != 0 {
		t.Error("not reset")
	}
	for _, bad := range []string{"publish", "publish?tag=x&mode=odd", "publish?tag=x&after=soon", "fault?on=nothing", "fault?on=gitlab&kind=odd", "fault?on=gitlab&kind=denied&times=-1"} {
		if status, body := control(bad); status != 400 || body == "" {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
}
