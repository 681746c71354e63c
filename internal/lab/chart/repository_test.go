package chart

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/lab/registry"
	"aigw-ci/internal/lab/wire"
)

const root = "/api/v4/projects/gitlab-org%2fcharts%2fai-gateway-helm-chart/packages/helm/devel/"

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func ask(t *testing.T, url string, prepare ...func(*http.Request)) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prepare {
		p(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// read is what a client reads of an index.
type read struct {
	Entries map[string][]struct {
		Version, AppVersion, Digest string
		URLs                        []string
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	r := NewRepository(RepositoryOptions{})
	for _, o := range []Options{old, current, old} { // once more: published again
		if err := r.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	at := serve(t, r) + root
	status, body := ask(t, at+"index.yaml")
	var index read
	if err := json.Unmarshal(body, &index); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	versions := map[string]string{}
	for _, e := range index.Entries[Name] {
		versions[e.Version] = e.AppVersion
		status, archive := ask(t, at+e.URLs[0])
		if sum := fmt.Sprintf("%x", sha256.Sum256(archive)); status != http.StatusOK || sum != e.Digest {
			t.Errorf("%d, %s instead of %s", status, sum, e.Digest)
		}
	}
	want := map[string]string{current.Version: current.AppVersion, old.Version: old.AppVersion}
	if diff := cmp.Diff(want, versions); diff != "" {
		t.Error(diff)
	}
	if status, _ := ask(t, at+"charts/ai-gateway-9.9.9.tgz"); status != http.StatusNotFound {
		t.Errorf("a chart that nobody published: %d", status)
	}
	if n := r.Log().Count(http.MethodGet, ".tgz"); n != 3 {
		t.Errorf("counted %d archives", n)
	}
}

func TestRepositoryOfKnownUsers(t *testing.T) {
	t.Parallel()
	r := NewRepository(RepositoryOptions{User: "someone", Password: "secret"})
	at := serve(t, r) + root + "index.yaml"
	if status, _ := ask(t, at); status != http.StatusUnauthorized {
		t.Errorf("a stranger got %d", status)
	}
	for password, want := range map[string]int{"secret": http.StatusOK, "guess": http.StatusUnauthorized} {
		if status, _ := ask(t, at, func(r *http.Request) { r.SetBasicAuth("someone", password) }); status != want {
			t.Errorf("%q: %d", password, status)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	r := NewRepository(RepositoryOptions{})
	if err := r.Add(current); err != nil {
		t.Fatal(err)
	}
	at := serve(t, r) + root
	_, right := ask(t, at+"charts/ai-gateway-0.15.1.tgz")
	for _, tt := range []struct {
		fault  wire.Fault
		file   string
		status int
		check  func([]byte) bool
	}{
		{EndlessIndex(), "index.yaml", 200, func(b []byte) bool { return len(b) == 1<<20 }},
		{LoginPage(), "index.yaml", 200, func(b []byte) bool { return strings.HasPrefix(string(b), "<!DOCTYPE html>") }},
		{NoArchive(), "index.yaml", 200, json.Valid},
		{NoArchive(), "charts/ai-gateway-0.15.1.tgz", 404, json.Valid},
		{OtherDigest(), "index.yaml", 200, json.Valid},
		{OtherDigest(), "charts/ai-gateway-0.15.1.tgz", 200, func(b []byte) bool {
			return string(b) != string(right) && cmp.Equal(entries(t, b), entries(t, right))
		}},
	} {
		r.SetFaults(tt.fault)
		if status, body := ask(t, at+tt.file); status != tt.status || !tt.check(body) {
			t.Errorf("%s: %d, and %d bytes of %s that are not as they should be", tt.fault.Name, status, len(body), tt.file)
		}
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	to := registry.New(registry.Options{})
	if err := Push(to, "charts/ai-gateway", current); err != nil {
		t.Fatal(err)
	}
	at := serve(t, to) + "/v2/charts/ai-gateway/"
	_, body := ask(t, at+"manifests/0.15.1", func(r *http.Request) {
		r.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
	})
	type part struct{ MediaType, Digest string }
	var manifest struct {
		Config part
		Layers []part
	}
	if err := json.Unmarshal(body, &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Config.MediaType != configType || len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != contentType {
		t.Fatalf("%s", body)
	}
	want, err := Archive(current)
	if err != nil {
		t.Fatal(err)
	}
	if _, got := ask(t, at+"blobs/"+manifest.Layers[0].Digest); string(got) != string(want) {
		t.Error("the content is another archive")
	}
	var config fields
	if _, got := ask(t, at+"blobs/"+manifest.Config.Digest); json.Unmarshal(got, &config) != nil || config.Name != Name || config.Version != current.Version {
		t.Errorf("the configuration tells of %+v", config)
	}
}
