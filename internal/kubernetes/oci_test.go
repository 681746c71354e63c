package kubernetes

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	helmregistry "helm.sh/helm/v4/pkg/registry"
)

// charts is a container registry that holds charts, pushed by Helm's own client. With
// a password it lets in only who has it.
func charts(t *testing.T, password string, versions ...string) *httptest.Server {
	t.Helper()
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	pushing := httptest.NewServer(open)
	defer pushing.Close()
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptHTTPClient(pushing.Client()), helmregistry.ClientOptBasicAuth("u", "p"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		data := packed(t, "ai-gateway", chartFiles("ai-gateway", v))
		if _, err := client.Push(data, strings.TrimPrefix(pushing.URL, "http://")+"/charts/ai-gateway:"+v); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}`, http.StatusUnauthorized)
			return
		}
		open.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func ociSource(s *httptest.Server) ChartSource {
	return ChartSource{Repository: "oci://" + strings.TrimPrefix(s.URL, "http://") + "/charts/", Name: "ai-gateway", Transport: s.Client().Transport}
}

func TestLoadFromRegistry(t *testing.T) {
	t.Parallel()
	s := charts(t, "", "0.9.0", "0.15.1", "0.16.0-rc.1", "0.15.1+build.7")
	for wanted, want := range map[string]string{"": "0.15.1", "0.9.0": "0.9.0", "<0.15": "0.9.0", "0.15.1+build.7": "0.15.1+build.7", "0.16.0-rc.1": "0.16.0-rc.1"} {
		c, origin, err := ociSource(s).load(t.Context(), wanted)
		if err != nil {
			t.Errorf("version %q: %v", wanted, err)
			continue
		}
		if got := c.Metadata.Version; got != want && !(wanted == "" && strings.HasPrefix(got, want)) || !strings.HasPrefix(origin.Digest, "sha256:") || !strings.HasSuffix(origin.From, "/charts/ai-gateway") {
			t.Errorf("version %q: %v, want %s", wanted, origin, want)
		}
	}
	if _, _, err := ociSource(s).load(t.Context(), "3.0.0"); err == nil || !strings.Contains(err.Error(), "no such chart or version") {
		t.Errorf("a version that is not there: %v", err)
	}
	other := ociSource(s)
	other.Name = "other"
	if _, _, err := other.load(t.Context(), ""); err == nil {
		t.Error("a chart that is not there: no error")
	}
}

func TestLoadFromRegistryWithCredentials(t *testing.T) {
	t.Parallel()
	s := charts(t, "open-sesame", "1.0.0")
	host := strings.TrimPrefix(s.URL, "http://")
	docker := func(host string) []byte {
		return fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, host, base64.StdEncoding.EncodeToString([]byte("robot:open-sesame")))
	}
	for name, test := range map[string]struct {
		change func(*ChartSource)
		want   string
	}{
		"nobody":         {func(*ChartSource) {}, "check the credentials"},
		"settings":       {func(s *ChartSource) { s.User, s.Password = "robot", "open-sesame" }, ""},
		"wrong":          {func(s *ChartSource) { s.User, s.Password = "robot", "closed-sesame" }, "check the credentials"},
		"docker":         {func(s *ChartSource) { s.Docker = docker(host) }, ""},
		"docker's other": {func(s *ChartSource) { s.Docker = docker("other.example.com") }, "check the credentials"},
	} {
		source := ociSource(s)
		test.change(&source)
		_, _, err := source.load(t.Context(), "")
		if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "sesame")) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

// TestRegistryThatLies answers with manifests that promise what no chart is.
func TestRegistryThatLies(t *testing.T) {
	t.Parallel()
	layer := func(size int64, digest string) string {
		return fmt.Sprintf(`{"config": {"mediaType": %q}, "layers": [{"mediaType": %q, "size": %d, "digest": %q}]}`,
			helmregistry.ConfigMediaType, helmregistry.ChartLayerMediaType, size, digest)
	}
	good := "sha256:" + strings.Repeat("a", 64)
	for name, test := range map[string]struct{ manifest, want string }{
		"an image":       {`{"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}}`, "not a chart but"},
		"no layer":       {fmt.Sprintf(`{"config": {"mediaType": %q}}`, helmregistry.ConfigMediaType), "lists no archive"},
		"not JSON":       {"open", "cannot be read"},
		"a large layer":  {layer(1<<50, good), "larger than 20 MiB"},
		"a negative one": {layer(-1, good), "larger than 20 MiB"},
		"a path":         {layer(1, "../../x"), "not a digest"},
		"another digest": {layer(4, good), "mismatch"},
		"another size":   {layer(3, good), "mismatch"},
		"a large one":    {strings.Repeat(" ", maxDescription+1), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/blobs/") {
					_, _ = w.Write([]byte("evil"))
					return
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				w.Header().Set("Docker-Content-Digest", sha256Of([]byte(test.manifest)))
				w.Header().Set("Content-Length", fmt.Sprint(len(test.manifest)))
				_, _ = w.Write([]byte(test.manifest))
			}))
			defer s.Close()
			_, _, err := ociSource(s).load(t.Context(), "1.0.0")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestRegistryThatListsForever(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `</v2/charts/ai-gateway/tags/list?last=x>; rel="next"`)
		_, _ = io.Copy(w, bytes.NewReader([]byte(`{"tags": ["1.0.0"]}`)))
	}))
	defer s.Close()
	if _, _, err := ociSource(s).load(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "pages") {
		t.Errorf("error %v, want one about the pages", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := ociSource(s).load(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}
