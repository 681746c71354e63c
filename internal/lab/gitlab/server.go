// Package gitlab is a stand-in for a GitLab instance: what it says of its version
// and to whom, how it fails, the comments on its merge requests, its identity
// provider, the token endpoint of its container registry, and GitLab Duo: Code
// Suggestions, for which it really calls its gateway with a token that it signed, and
// what GraphQL shows of that gateway. It follows the public documentation to the
// status code and the body; where that is silent it says nothing.
package gitlab

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"aigw-ci/internal/lab/wire"
)

// Options describe an instance. The zero value is one that any token of this
// package can ask, at the root of its host.
type Options struct {
	Version string // as the API sends it; "" is "18.2.1-ee"
	Root    string // relative URL root, "/gitlab"; "" is none

	// URL is the address the instance gives itself in tokens and discovery. "" is
	// the one it was asked on, which suits an instance with several addresses.
	URL string

	// Private lists registry repositories that an anonymous user may not pull.
	// An entry also covers the repositories below it.
	Private []string

	// OwnKey gives the instance a signing key of its own; otherwise all instances of
	// this process sign with the same one.
	OwnKey bool

	// GatewayURL is the "Local AI Gateway URL" in GitLab's settings; "" is unset.
	GatewayURL string

	// GatewayCA are the authorities, in PEM, that GitLab trusts on the way to its
	// gateway. Without any it trusts those of the system.
	GatewayCA []byte

	// Gateway is the road to the gateway; nil is the network.
	Gateway http.RoundTripper

	// TokenLife is how long a registry token lives; 0 is the 15 minutes of
	// GitLab.com (docs.gitlab.com/user/gitlab_com).
	TokenLife time.Duration
}

// Server is the instance. It is an http.Handler, safe for concurrent use.
type Server struct {
	options Options
	handler http.Handler
	log     wire.Log
	faults  wire.Switch
	gateway http.RoundTripper

	mu        sync.Mutex
	key       signingKey
	rotations int
	version   string
	duo       duo
	notes     map[mergeRequest][]Note // oldest first
	lastNote  int
}

var _ http.Handler = (*Server)(nil)

// New makes an instance.
func New(o Options) *Server {
	if o.Version == "" {
		o.Version = "18.2.1-ee"
	}
	if o.TokenLife == 0 {
		o.TokenLife = 15 * time.Minute
	}
	o.Root = strings.TrimSuffix(o.Root, "/")
	s := &Server{options: o, version: o.Version, key: signingKey{keyID, oneKey}, notes: map[mergeRequest][]Note{}}
	if o.OwnKey {
		s.key.key = sync.OnceValue(newKey)
	}
	s.duo.gatewayURL, s.gateway = strings.TrimSuffix(o.GatewayURL, "/"), road(o)
	s.handler = s.log.Wrap(s.faults.Wrap(http.StripPrefix(o.Root, s.routes())))
	return s
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v4/metadata", s.metadata)
	mux.HandleFunc("GET /api/v4/version", s.metadata) // a mirror since 15.5
	mux.HandleFunc("GET /api/v4/projects", s.projects)
	mux.HandleFunc("GET /api/v4/user", s.user)
	mux.HandleFunc("GET /api/v4/personal_access_tokens/self", s.self)
	mux.HandleFunc("POST /api/v4/code_suggestions/completions", s.suggestion(s.completions))
	mux.HandleFunc("POST /api/v4/code_suggestions/direct_access", s.suggestion(s.directAccess))
	mux.HandleFunc("POST /api/graphql", s.graphQL)
	mux.HandleFunc("GET /api/v4/projects/{project}/merge_requests/{iid}/notes", s.listNotes)
	mux.HandleFunc("POST /api/v4/projects/{project}/merge_requests/{iid}/notes", s.createNote)
	mux.HandleFunc("PUT /api/v4/projects/{project}/merge_requests/{iid}/notes/{note}", s.updateNote)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusNotFound, map[string]any{"error": "404 Not Found"})
	})
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /oauth/discovery/keys", s.keys)
	mux.HandleFunc("GET /jwt/auth", s.registryToken)
	mux.HandleFunc("GET /-/health", probe("text/plain; charset=utf-8", "GitLab OK"))
	mux.HandleFunc("GET /-/liveness", probe("application/json; charset=utf-8", `{"status":"ok"}`))
	mux.HandleFunc("GET /-/readiness", probe("application/json; charset=utf-8", `{"status":"ok","master_check":[{"status":"ok"}]}`))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		page(w, http.StatusNotFound, "The page could not be found or you don't have permission to view it. (404)")
	})
	return mux
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// SetVersion makes the instance one of another version, as an upgrade does. One to
// 19.2 empties the gateway's address (gitlab-org/gitlab work item 606458).
func (s *Server) SetVersion(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line(s.version).before(19, 2) && line(v) == (minor{19, 2}) {
		s.duo.gatewayURL = ""
	}
	s.version = v
}

// Version is what the instance says it is.
func (s *Server) Version() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// SetFaults makes requests fail, in the order given; without arguments all is well again.
func (s *Server) SetFaults(faults ...wire.Fault) { s.faults.Set(faults...) }

// Log is what the instance was asked.
func (s *Server) Log() *wire.Log { return &s.log }

// address is the instance's own URL, without a trailing slash.
func (s *Server) address(r *http.Request) string {
	if s.options.URL != "" {
		return strings.TrimSuffix(s.options.URL, "/")
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + s.options.Root
}
