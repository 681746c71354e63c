// Package registry is a stand-in for a container registry as GitLab runs one: an
// OCI registry with bearer tokens, pages of tags in order, and a repository that
// holds thousands of tags. Its oddities and faults can be switched on while it runs.
//
// Blobs and manifests are kept by go-containerregistry's in-memory registry. Its
// listing cuts instead of paging, so the listing is this package's own.
package registry

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"aigw-ci/internal/lab/wire"
)

// Authority decides who may do what. The GitLab stand-in is one.
type Authority interface {
	// Grants reports whether token allows action ("pull", "push") on repository.
	// An empty repository asks only whether the token is good.
	Grants(token, repository, action string) bool
}

// Options describe a registry. The zero value is open to everybody and empty.
type Options struct {
	// Authority checks tokens; nil lets everybody do everything.
	Authority Authority

	// Realm is the address of the token endpoint, for the challenge that answers r.
	Realm func(r *http.Request) string

	// Image makes the image of a tag that was listed by AddTags and never pushed,
	// when somebody asks for it. nil: such a tag is listed and has no manifest.
	Image func(repository, tag string) (v1.Image, error)
}

// Server is the registry. It is an http.Handler, safe for concurrent use.
type Server struct {
	options Options
	handler http.Handler
	store   http.Handler
	blobs   registry.BlobPutHandler
	log     wire.Log
	faults  wire.Switch

	mu           sync.Mutex
	quirks       Quirks
	repositories map[string]*repository
}

var _ http.Handler = (*Server)(nil)

// repository is the names in one repository; what they point at is in the store.
type repository struct {
	tags   []string        // ascending by byte, as the store of a real registry sorts them
	order  []string        // as they were added, oldest first
	stored map[string]bool // those with a manifest in the store
	make   sync.Mutex      // held while an image is made on demand
}

// New makes a registry.
func New(o Options) *Server {
	blobs := registry.NewInMemoryBlobHandler()
	s := &Server{
		options:      o,
		store:        registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(blobs), registry.WithReferrersSupport(true)),
		blobs:        blobs.(registry.BlobPutHandler),
		repositories: make(map[string]*repository),
	}
	s.handler = s.log.Wrap(s.faults.Wrap(http.HandlerFunc(s.route)))
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// SetFaults makes requests fail, in the order given; without arguments all is well again.
func (s *Server) SetFaults(faults ...wire.Fault) { s.faults.Set(faults...) }

// SetQuirks changes how the registry deviates from the specification; the zero
// Quirks is a registry that follows it.
func (s *Server) SetQuirks(q Quirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quirks = q
}

func (s *Server) currentQuirks() Quirks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quirks
}

// Log is what the registry was asked.
func (s *Server) Log() *wire.Log { return &s.log }

// AddTags lists tags in a repository, which is made when it is new. Their images
// are made by Options.Image when they are asked for.
func (s *Server) AddTags(name string, tags ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.repositories[name]
	if repo == nil {
		repo = &repository{stored: make(map[string]bool)}
		s.repositories[name] = repo
	}
	repo.add(tags)
}

func (r *repository) add(tags []string) {
	for _, t := range tags {
		if !r.has(t) {
			r.order = append(r.order, t)
		}
	}
	all := slices.Concat(r.tags, tags) // a new list: requests may be reading the old one
	slices.Sort(all)
	r.tags = slices.Compact(all)
}

// Tags are the tags of a repository in ascending order.
func (s *Server) Tags(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if repo := s.repositories[name]; repo != nil {
		return slices.Clone(repo.tags)
	}
	return nil
}

// route follows the OCI distribution specification's paths: /v2/, then a name that
// may have slashes, then what is wanted of it.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	path, ok := strings.CutPrefix(r.URL.Path, "/v2")
	if !ok || path != "" && path[0] != '/' {
		http.NotFound(w, r)
		return
	}
	name, kind, reference := split(path)
	if !s.authorize(w, r, name) {
		return
	}
	switch kind {
	case "tags":
		s.list(w, r, name)
	case "manifests":
		s.manifest(w, r, name, reference)
	default:
		s.store.ServeHTTP(w, r)
	}
}

// split takes "/group/project/manifests/v1" apart.
func split(path string) (name, kind, reference string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := len(parts) - 1; i > 0; i-- {
		switch parts[i] {
		case "tags", "manifests", "blobs", "referrers":
			return strings.Join(parts[:i], "/"), parts[i], strings.Join(parts[i+1:], "/")
		}
	}
	return "", "", ""
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

func (r *repository) has(tag string) bool {
	_, found := slices.BinarySearch(r.tags, tag)
	return found
}
