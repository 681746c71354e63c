package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"aigw-ci/internal/transport"
)

// estate is a registry with one repository and a token service, which follows the
// specification to the letter unless a test tells it otherwise.
type estate struct {
	t      testing.TB
	server *httptest.Server

	tags  []string          // in the order they are listed
	blobs map[string][]byte // manifests and configurations by digest
	kinds map[string]string // Content-Type by digest
	heads map[string]string // digest by tag; "" is every other tag

	user, password string // "": anonymous pulls are allowed
	realm          string // default: /token on this server
	basic          bool   // Basic instead of Bearer
	maxPage        int    // default 1000

	// Deviations.
	ignoresLast bool
	noLink      bool
	link        func(u *url.URL) string                           // the Link to u, instead of `<path>; rel="next"`
	before      func(w http.ResponseWriter, r *http.Request) bool // true: it has answered

	mu   sync.Mutex
	seen []string // "GET /v2/... Bearer"
}

const path = "group/model-gateway"

func newEstate(t testing.TB, tags ...string) *estate {
	t.Helper()
	slices.Sort(tags)
	e := &estate{
		t: t, tags: tags, maxPage: 1000,
		blobs: make(map[string][]byte), kinds: make(map[string]string), heads: make(map[string]string),
	}
	e.heads[""] = e.index("linux/amd64", "linux/arm64/v8").digest
	e.server = httptest.NewServer(e)
	t.Cleanup(e.server.Close)
	return e
}

func (e *estate) host() string       { return strings.TrimPrefix(e.server.URL, "http://") }
func (e *estate) repository() string { return e.host() + "/" + path }

// registry is the subject, with this estate as its only repository.
func (e *estate) registry(change ...func(*Options)) *Registry {
	e.t.Helper()
	o := Options{Repositories: []string{e.repository()}, Transport: road(e.t)}
	for _, c := range change {
		c(&o)
	}
	r, err := New(o)
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

func road(t testing.TB) *http.Transport {
	base, err := transport.New(transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

// requests are those seen so far: to the registry, and to its token service.
func (e *estate) requests() (registry, tokens int) {
	for _, s := range e.log() {
		if strings.Contains(s, "/token") {
			tokens++
		} else {
			registry++
		}
	}
	return registry, tokens
}

func (e *estate) log() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.seen)
}

// asked counts the requests whose log line holds part.
func (e *estate) asked(part string) (n int) {
	for _, s := range e.log() {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

func (e *estate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	e.mu.Lock()
	e.seen = append(e.seen, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+scheme))
	e.mu.Unlock()
	if e.before != nil && e.before(w, r) {
		return
	}
	user, password, _ := r.BasicAuth()
	known := e.user == "" || user == e.user && password == e.password
	if r.URL.Path == "/token" {
		if !known {
			refuse401(w, "")
			return
		}
		_, _ = fmt.Fprintf(w, `{"token":%q,"expires_in":300}`, "t:"+r.URL.Query().Get("scope"))
		return
	}
	realm := e.realm
	if realm == "" {
		realm = e.server.URL + "/token"
	}
	challenge := `Bearer realm="` + realm + `",service="container_registry",scope="repository:` + path + `:pull,push"`
	allowed := scheme == "Bearer" && credentials == "t:repository:"+path+":pull"
	if e.basic {
		challenge, allowed = `Basic realm="registry"`, scheme == "Basic" && known
	}
	if !allowed {
		refuse401(w, challenge)
		return
	}
	resource, ok := strings.CutPrefix(r.URL.Path, "/v2/"+path+"/")
	kind, id, _ := strings.Cut(resource, "/")
	switch {
	case !ok:
		http.Error(w, `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`, 404)
	case resource == "tags/list":
		e.list(w, r)
	case kind == "manifests" || kind == "blobs":
		e.serve(w, r, id)
	}
}

func refuse401(w http.ResponseWriter, challenge string) {
	if challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, 401)
}

func (e *estate) list(w http.ResponseWriter, r *http.Request) {
	tags, last := e.tags, r.URL.Query().Get("last")
	if last != "" && !e.ignoresLast {
		from, found := slices.BinarySearch(tags, last)
		if found {
			from++
		}
		tags = tags[from:]
	}
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n > e.maxPage {
		n = e.maxPage
	}
	if n < len(tags) {
		tags = tags[:n]
		next := &url.URL{Path: r.URL.Path, RawQuery: pageQuery(tags[n-1], n).Encode()}
		switch {
		case e.noLink:
		case e.link != nil:
			w.Header().Add("Link", e.link(next))
		default:
			w.Header().Add("Link", "<"+next.String()+`>; rel="next"`)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"name": path, "tags": tags})
}

func (e *estate) serve(w http.ResponseWriter, r *http.Request, id string) {
	digest := id
	if !strings.HasPrefix(id, "sha256:") {
		if !slices.Contains(e.tags, id) {
			http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`, 404)
			return
		}
		if digest = e.heads[id]; digest == "" {
			digest = e.heads[""]
		}
	}
	body, ok := e.blobs[digest]
	if !ok {
		http.Error(w, `{"errors":[{"code":"BLOB_UNKNOWN"}]}`, 404)
		return
	}
	if kind := e.kinds[digest]; kind != "" {
		if !strings.Contains(r.Header.Get("Accept"), kind) {
			e.t.Errorf("%s does not accept %s", r.URL.Path, kind)
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Docker-Content-Digest", digest)
	}
	_, _ = w.Write(body)
}

// built is an image of the estate.
type built struct {
	digest   string
	children map[string]leaf // by platform
}

func (e *estate) put(kind types.MediaType, document any) (digest string, size int) {
	b, err := json.Marshal(document)
	if err != nil {
		e.t.Fatal(err)
	}
	digest = digestOf(b)
	e.blobs[digest], e.kinds[digest] = b, string(kind)
	return digest, len(b)
}

type doc map[string]any

func (e *estate) image(platform string) leaf {
	system, architecture, _ := strings.Cut(platform, "/")
	architecture, variant, _ := strings.Cut(architecture, "/")
	config, size := e.put("", doc{"os": system, "architecture": architecture, "variant": variant, "rootfs": doc{"type": "layers"}})
	digest, _ := e.put(types.DockerManifestSchema2, doc{
		"schemaVersion": 2, "mediaType": types.DockerManifestSchema2,
		"config": doc{"mediaType": types.DockerConfigJSON, "digest": config, "size": size}, "layers": []any{},
	})
	return leaf{digest, config, platform}
}

func (e *estate) entry(platform string, l leaf) doc {
	system, architecture, _ := strings.Cut(platform, "/")
	architecture, variant, _ := strings.Cut(architecture, "/")
	return doc{"mediaType": e.kinds[l.digest], "digest": l.digest, "size": len(e.blobs[l.digest]),
		"platform": doc{"os": system, "architecture": architecture, "variant": variant}}
}

// index is an image for several platforms, with an attestation as BuildKit adds it.
func (e *estate) index(platforms ...string) built {
	b := built{children: make(map[string]leaf)}
	entries := []doc{e.entry("unknown/unknown", e.image("unknown/unknown"))}
	for _, p := range platforms {
		b.children[p] = e.image(p)
		entries = append(entries, e.entry(p, b.children[p]))
	}
	b.digest, _ = e.put(types.OCIImageIndex, doc{"schemaVersion": 2, "mediaType": types.OCIImageIndex, "manifests": entries})
	return b
}

// lines reads a file of testdata.
func lines(t testing.TB, file string) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

// crowd is n tags as commits make them.
func crowd(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprintf("%08x", uint32(i)*2654435761)
	}
	return tags
}
