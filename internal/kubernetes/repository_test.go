package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shelf is a chart repository: files by path. It keeps who asked for what.
type shelf struct {
	*httptest.Server

	mu    sync.Mutex
	files map[string][]byte
	seen  map[string]string // path to Authorization
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{files: make(map[string][]byte), seen: make(map[string]string)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen[r.URL.EscapedPath()] = r.Header.Get("Authorization")
		data, ok := s.files[r.URL.EscapedPath()]
		if to, moved := strings.CutPrefix(string(data), "moved "); moved {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s
}

const encoded = "/api/v4/projects/group%2fcharts/packages/helm/devel"

// put adds a chart to the index and its archive to the files.
func (s *shelf) put(t *testing.T, url string, files map[string]string, name, version string) {
	data := packed(t, name, files)
	if strings.HasPrefix(url, "charts/") {
		s.files[encoded+"/"+url] = data
	}
	s.list(url, version, sha256Of(data))
}

func (s *shelf) list(url, version, digest string) {
	if s.files[encoded+"/index.yaml"] == nil {
		s.files[encoded+"/index.yaml"] = []byte("apiVersion: v1\nentries:\n  ai-gateway:\n")
	}
	s.files[encoded+"/index.yaml"] = fmt.Appendf(s.files[encoded+"/index.yaml"], "  - {name: ai-gateway, version: %q, digest: %q, urls: [%q]}\n", version, strings.TrimPrefix(digest, "sha256:"), url)
}

func (s *shelf) source() ChartSource {
	return ChartSource{Repository: s.URL + encoded, Name: "ai-gateway", Transport: s.Client().Transport}
}

func TestLoadFromRepository(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for _, v := range []string{"0.9.0", "0.15.1", "0.15.0", "0.16.0-rc.1", "not-a-version"} {
		s.put(t, "charts/ai-gateway-"+v+".tgz", chartFiles("ai-gateway", v), "ai-gateway", v)
	}
	for wanted, want := range map[string]string{
		"":            "0.15.1", // and not the pre-release
		"0.9.0":       "0.9.0",
		"0.16.0-rc.1": "0.16.0-rc.1",
		"~0.15.0":     "0.15.1",
		"< 0.15":      "0.9.0",
	} {
		c, origin, err := s.source().load(t.Context(), wanted)
		if err != nil {
			t.Errorf("version %q: %v", wanted, err)
			continue
		}
		archive := s.files[encoded+"/charts/ai-gateway-"+want+".tgz"]
		wantOrigin := chartOrigin{
			Name: "ai-gateway", Version: want, AppVersion: "self-hosted-v18.2.8-ee", From: s.URL + encoded + "/", Digest: sha256Of(archive),
			Notes: []string{"the chart came over plain HTTP: whoever is on the way can change it"},
		}
		if diff := cmp.Diff(wantOrigin, origin); diff != "" || c.Metadata.Version != want {
			t.Errorf("version %q (-want +got):\n%s", wanted, diff)
		}
	}
}

func TestLoadTakesAPreReleaseWhenThereIsNothingElse(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for _, v := range []string{"0.1.0-alpha", "0.1.0-beta"} {
		s.put(t, "charts/"+v+".tgz", chartFiles("ai-gateway", v), "ai-gateway", v)
	}
	if _, origin, err := s.source().load(t.Context(), ""); err != nil || origin.Version != "0.1.0-beta" {
		t.Errorf("%v, %v", origin, err)
	}
}

// TestCredentialsStayAtTheRepository has an index that names another host for the
// archive, and a repository that sends its visitors there.
func TestCredentialsStayAtTheRepository(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"index", "redirection"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s, other := newShelf(t), newShelf(t)
			data := packed(t, "c", chartFiles("ai-gateway", "1.0.0"))
			other.files["/elsewhere.tgz"] = data
			at := other.URL + "/elsewhere.tgz"
			if way == "redirection" {
				s.files[encoded+"/charts/a.tgz"] = []byte("moved " + at)
				at = "charts/a.tgz"
			}
			s.list(at, "1.0.0", sha256Of(data))

			source := s.source()
			source.User, source.Password = "robot", "open-sesame"
			if _, _, err := source.load(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			if s.seen[encoded+"/index.yaml"] == "" {
				t.Error("the repository did not get the credentials")
			}
			if got, asked := other.seen["/elsewhere.tgz"]; !asked || got != "" {
				t.Errorf("the other host was asked: %v, with credentials %q", asked, got)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const index = encoded + "/index.yaml"
	chart := func(more ...string) func(*testing.T, *shelf) {
		return func(t *testing.T, s *shelf) {
			s.put(t, "charts/a.tgz", chartFiles("ai-gateway", "1.0.0", more...), "c", "1.0.0")
		}
	}
	text := func(content string) func(*testing.T, *shelf) {
		return func(_ *testing.T, s *shelf) { s.files[index] = []byte(content) }
	}
	for name, test := range map[string]struct {
		shelf   func(*testing.T, *shelf)
		version string
		want    string
	}{
		"no index":         {func(*testing.T, *shelf) {}, "", "404 Not Found"},
		"a page to log in": {text("\n<!DOCTYPE html><html>Sign in</html>"), "", "web page"},
		"not an index":     {text("just: something"), "", "not the index of a chart repository"},
		"not YAML":         {text("a: [b"), "", "not the index of a chart repository"},
		"too large":        {text(strings.Repeat(" ", maxIndex+1)), "", "larger than 20480 KiB"},
		"alias bomb":       {text("a: &a \"" + strings.Repeat("x", 1<<20) + "\"\nb: [" + strings.Repeat("*a,", 1000) + "]"), "", "grows beyond"},
		"no such chart":    {text("entries: {other: [{version: 1.0.0}]}"), "", "no such chart"},
		"no such version":  {chart(), "2.0.0", "version 2.0.0 is not listed; there are 1.0.0"},
		"not a version":    {chart(), "newest", "neither a chart version nor a range"},
		"no address":       {text("entries: {ai-gateway: [{version: 1.0.0}]}"), "", "does not say where"},
		"a file":           {text("entries: {ai-gateway: [{version: 1.0.0, urls: ['file:///etc/passwd']}]}"), "", "not allowed"},
		"a password":       {text("entries: {ai-gateway: [{version: 1.0.0, urls: ['https://u:open-sesame@x.example.com/']}]}"), "", "not allowed"},
		"missing archive":  {text("entries: {ai-gateway: [{version: 1.0.0, urls: [a.tgz]}]}"), "", "404"},
		"another digest": {func(t *testing.T, s *shelf) {
			chart()(t, s)
			s.files[encoded+"/charts/a.tgz"] = packed(t, "c", chartFiles("ai-gateway", "1.0.0", "x", "y"))
		}, "", "not the one that the index lists"},
		"another name": {func(t *testing.T, s *shelf) { s.put(t, "charts/a.tgz", chartFiles("evil", "1.0.0"), "c", "1.0.0") }, "", `calls itself "evil"`},
		"another version": {func(t *testing.T, s *shelf) {
			s.put(t, "charts/a.tgz", chartFiles("ai-gateway", "0.1.0"), "c", "1.0.0")
		}, "", `version "0.1.0"`},
		"library":           {chart("Chart.yaml", "type: library\n"), "", "library"},
		"missing subchart":  {chart("Chart.yaml", "dependencies: [{name: grpc-tls-proxy, version: 1.0.0}]\n"), "", `subchart "grpc-tls-proxy"`},
		"endless redirects": {text("moved " + encoded + "/index.yaml"), "", "led on more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			test.shelf(t, s)
			_, _, err := s.source().load(t.Context(), test.version)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "open-sesame") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestRepositoryAddress(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		source ChartSource
		want   string
	}{
		"none":          {ChartSource{Name: "c"}, "not an address"},
		"a path":        {ChartSource{Name: "c", Repository: "/srv/charts"}, "not an address"},
		"in the url":    {ChartSource{Name: "c", Repository: "https://u:open-sesame@x.example.com"}, "credentials in its address"},
		"without tls":   {ChartSource{Name: "c", Repository: "http://x.example.com", Password: "open-sesame"}, "plain HTTP"},
		"name":          {ChartSource{Name: "../c", Repository: "https://x.example.com"}, "not the name of a chart"},
		"no name":       {ChartSource{Repository: "https://x.example.com"}, "not the name of a chart"},
		"oci with user": {ChartSource{Name: "c", Repository: "oci://u:open-sesame@x.example.com/charts"}, "an @ in it"},
		"oci with tag":  {ChartSource{Name: "c:1", Repository: "oci://x.example.com/charts"}, "not the name of a chart"},
		"docker config": {ChartSource{Name: "c", Repository: "oci://x.example.com/charts", Docker: []byte("open-sesame")}, "Docker configuration"},
	} {
		_, _, err := test.source.load(context.Background(), "1.0.0")
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "open-sesame") {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestDeprecatedChartIsNoted(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(t, "charts/a.tgz", chartFiles("ai-gateway", "1.0.0", "Chart.yaml", "deprecated: true\n"), "c", "1.0.0")
	_, origin, err := s.source().load(t.Context(), "")
	if err != nil || !strings.Contains(fmt.Sprint(origin.Notes), "deprecated") {
		t.Errorf("%v, %v", origin.Notes, err)
	}
}

func FuzzIndex(f *testing.F) {
	f.Add("entries: {ai-gateway: [{version: 1.0.0, urls: [a.tgz]}]}")
	f.Add("entries: {ai-gateway: [null, {version: '', urls: ['//x']}]}")
	f.Fuzz(func(t *testing.T, text string) {
		s := ChartSource{Repository: "https://charts.example.com/x", Name: "ai-gateway", User: "u", Password: "p", Transport: answer(text)}
		base, err := s.address()
		if err != nil {
			t.Fatal(err)
		}
		i, err := s.index(context.Background(), base)
		if err != nil {
			return
		}
		e, err := i.find("ai-gateway", "")
		if err != nil {
			return
		}
		if at, err := e.address(base); err == nil && at.Scheme != "https" {
			t.Errorf("the archive would be taken from %s", at)
		}
	})
}

// answer is a server that says the same to everybody.
type answer string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, _ = w.WriteString(string(a))
	resp := w.Result()
	resp.Request = r
	return resp, nil
}
