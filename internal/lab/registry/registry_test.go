package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"aigw-ci/internal/lab/wire"
)

const repo = "group/project/model-gateway"

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(512, 2)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digest(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// serve returns a reference to a tag of a real server.
func serve(t *testing.T, s http.Handler, tag string) name.Tag {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	ref, err := name.NewTag(strings.TrimPrefix(web.URL, "http://") + "/" + repo + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestAnotherClientPulls(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	image := randomImage(t)
	if err := s.Push(repo, "v1", image); err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(serve(t, s, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(pulled); err != nil {
		t.Error(err)
	}
	if got, want := digest(t, pulled), digest(t, image); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnotherClientPushes(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	s.AddTags(repo, "v2")
	ref := serve(t, s, "v1")
	if err := remote.Write(ref, randomImage(t)); err != nil {
		t.Fatal(err)
	}
	if got := s.Tags(repo); !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("tags %q", got)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	child := randomImage(t)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: child, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	if err := s.PushIndex(repo, "v1", index); err != nil {
		t.Fatal(err)
	}
	ref := serve(t, s, "v1")
	pulled, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "arm64"}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := digest(t, pulled), digest(t, child); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.Tags(repo); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("tags %q: the children have none", got)
	}
}

func TestTagMovesAndOldDigestStays(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	old, fresh := randomImage(t), randomImage(t)
	for _, image := range []v1.Image{old, fresh} {
		if err := s.Push(repo, "v1", image); err != nil {
			t.Fatal(err)
		}
	}
	a := request(s, "HEAD", "/v2/"+repo+"/manifests/v1")
	if got := a.Header.Get("Docker-Content-Digest"); got != digest(t, fresh) {
		t.Errorf("the tag is at %s", got)
	}
	if a := request(s, "GET", "/v2/"+repo+"/manifests/"+digest(t, old)); a.Status != 200 {
		t.Errorf("the old image: %d", a.Status)
	}
}

// Many ask at once for a tag whose image is not made yet: it is made once.
func TestImageOnDemand(t *testing.T) {
	t.Parallel()
	var made atomic.Int32
	s := New(Options{Image: func(repository, tag string) (v1.Image, error) {
		made.Add(1)
		if tag == "broken" {
			return nil, fmt.Errorf("no image of %s", repository)
		}
		return random.Image(64, 1)
	}})
	s.AddTags(repo, "v1", "broken", "never-asked")
	results := make(chan string)
	for range 8 {
		go func() {
			results <- request(s, "HEAD", "/v2/"+repo+"/manifests/v1").Header.Get("Docker-Content-Digest")
		}()
	}
	first := <-results
	for range 7 {
		if got := <-results; got != first || got == "" {
			t.Errorf("%q and %q", first, got)
		}
	}
	if made.Load() != 1 {
		t.Errorf("made %d images", made.Load())
	}
	if a := request(s, "GET", "/v2/"+repo+"/manifests/broken"); a.Status != 500 || !strings.Contains(string(a.Body), "no image of") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := request(s, "GET", "/v2/"+repo+"/manifests/unlisted"); a.Status != 404 || !strings.Contains(string(a.Body), "MANIFEST_UNKNOWN") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if err := s.Push(repo, "never-asked", randomImage(t)); err != nil {
		t.Fatal(err)
	}
	before := made.Load()
	if a := request(s, "HEAD", "/v2/"+repo+"/manifests/never-asked"); a.Status != 200 || made.Load() != before {
		t.Errorf("%d: made in the place of the one that was pushed", a.Status)
	}
}

func TestManifestQuirks(t *testing.T) {
	t.Parallel()
	image := randomImage(t)
	want := digest(t, image)
	raw, err := image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		quirks    Quirks
		head      int
		headNames bool
		getNames  bool
		wrong     bool
	}{
		"none":                {Quirks{}, 200, true, true, false},
		"HEAD refused":        {Quirks{HeadRefused: true}, 405, false, true, false},
		"HEAD without digest": {Quirks{HeadWithoutDigest: true}, 200, false, true, false},
		"no digest":           {Quirks{NoDigest: true}, 200, false, false, false},
		"wrong manifests":     {Quirks{WrongManifests: true}, 200, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{})
			if err := s.Push(repo, "v1", image); err != nil {
				t.Fatal(err)
			}
			s.SetQuirks(tt.quirks)
			head, get := request(s, "HEAD", "/v2/"+repo+"/manifests/v1"), request(s, "GET", "/v2/"+repo+"/manifests/v1")
			names := func(a *wire.Captured) bool { return a.Header.Get("Docker-Content-Digest") == want }
			if head.Status != tt.head || names(head) != tt.headNames {
				t.Errorf("HEAD: %d %v", head.Status, head.Header)
			}
			if get.Status != 200 || names(get) != tt.getNames || (string(get.Body) != string(raw)) != tt.wrong || len(get.Body) != len(raw) {
				t.Errorf("GET: %d %v %s", get.Status, get.Header, get.Body)
			}
		})
	}
}

// gate grants what its token says in clear: "repository action".
type gate struct{}

func (gate) Grants(token, repository, action string) bool {
	return strings.HasPrefix(token, "good") && (repository == "" || token == "good "+repository+" "+action)
}

var _ Authority = gate{}

func TestChallenges(t *testing.T) {
	t.Parallel()
	s := New(Options{Authority: gate{}, Realm: func(*http.Request) string { return "https://gitlab.example.com/jwt/auth" }})
	s.AddTags(repo, "v1")
	const bearer = `Bearer realm="https://gitlab.example.com/jwt/auth",service="container_registry"`
	for _, tt := range []struct {
		method, path, authorization string
		status                      int
		challenge                   string
	}{
		{"GET", "/v2/", "", 401, bearer},
		{"GET", "/v2/", "Bearer good", 200, ""},
		{"GET", "/v2/" + repo + "/tags/list", "", 401, bearer + `,scope="repository:` + repo + `:pull"`},
		{"GET", "/v2/" + repo + "/tags/list", "Bearer bad", 401, bearer + `,scope="repository:` + repo + `:pull",error="invalid_token"`},
		{"GET", "/v2/" + repo + "/tags/list", "Bearer good other pull", 401, bearer + `,scope="repository:` + repo + `:pull",error="insufficient_scope"`},
		{"GET", "/v2/" + repo + "/tags/list", "Bearer good " + repo + " pull", 200, ""},
		{"PUT", "/v2/" + repo + "/manifests/v1", "Bearer good " + repo + " pull", 401, bearer + `,scope="repository:` + repo + `:pull,push",error="insufficient_scope"`},
		{"GET", "/elsewhere", "", 404, ""},
	} {
		a := request(s, tt.method, tt.path, "Authorization", tt.authorization)
		if a.Status != tt.status || a.Header.Get("WWW-Authenticate") != tt.challenge {
			t.Errorf("%s %s %q: %d %s", tt.method, tt.path, tt.authorization, a.Status, a.Header.Get("WWW-Authenticate"))
		}
	}
	s.SetQuirks(Quirks{Realm: "https://thief.example.com/token"})
	if a := request(s, "GET", "/v2/"); !strings.Contains(a.Header.Get("WWW-Authenticate"), `realm="https://thief.example.com/token"`) {
		t.Errorf("%v", a.Header)
	}
}

func TestFaultsByName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"too-many-requests": 429, "unavailable": 503, "denied": 403, "unauthorized": 401, "internal-error": 500, "redirect": 302} {
		s := New(Options{})
		s.AddTags(repo, "v1")
		f, err := Fault(name, "http://elsewhere.example.com")
		if err != nil {
			t.Fatal(err)
		}
		s.SetFaults(f.On("GET", "/tags/").For(1))
		a := request(s, "GET", "/v2/"+repo+"/tags/list")
		if a.Status != want || (want == 429 || want == 503) != (a.Header.Get("Retry-After") == "2") {
			t.Errorf("%s: %d %v", name, a.Status, a.Header)
		}
		if a := request(s, "GET", "/v2/"+repo+"/tags/list"); a.Status != 200 {
			t.Errorf("after %s: %d", name, a.Status)
		}
	}
	if _, err := Fault("fire", ""); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("unknown fault: %v", err)
	}
}

func request(h http.Handler, method, path string, header ...string) *wire.Captured {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return wire.Capture(h, r)
}

// What go-containerregistry lists, page by page, is everything.
func TestAnotherClientLists(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	var want []string
	for i := range 1234 {
		want = append(want, fmt.Sprintf("t%05d", i))
	}
	s.AddTags(repo, want...)
	got, err := remote.List(serve(t, s, "x").Context(), remote.WithAuth(authn.Anonymous), remote.WithPageSize(500))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d tags, %v", len(got), err)
	}
	if n := s.Log().Count("GET", "/tags/list"); n != 3 {
		t.Errorf("%d pages", n)
	}
}
