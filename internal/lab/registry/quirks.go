package registry

import (
	"bytes"
	"net/http"
)

// Quirks are the ways in which registries deviate from the OCI distribution
// specification and still call themselves registries.
type Quirks struct {
	// IgnoreLast starts every listing at its beginning. IgnoreN and IgnoreLast
	// together answer with everything at once, as GitLab's registry does on its
	// legacy storage (gitlab-org/container-registry, registry/handlers/tags.go).
	IgnoreLast bool
	IgnoreN    bool

	// Order is how tags are sorted; ghcr.io and quay.io do not sort by name.
	Order Order

	// PageSize is how many tags come when n is absent; 0 is 100, as on GitLab.
	PageSize int

	// MaxPage is the longest page, however large n is; 0 is 1000.
	MaxPage int

	// RejectLongPages answers 400 to an n above MaxPage, as Amazon ECR does.
	RejectLongPages bool

	// LinkBase is put before the path in Link headers, "https://mirror.example.com".
	// "self" stands for the address of the request; "" leaves the path alone.
	LinkBase string

	HeadRefused       bool // 405 for HEAD of a manifest
	HeadWithoutDigest bool // no Docker-Content-Digest, only on HEAD
	NoDigest          bool // no Docker-Content-Digest at all

	// WrongManifests sends manifests whose bytes do not match their digest.
	WrongManifests bool

	// Realm replaces the address of the token endpoint in challenges.
	Realm string
}

// Order is how a registry sorts its tags.
type Order int

const (
	ASCII           Order = iota // by byte; one of the two orders the specification allows
	CaseInsensitive              // the other one
	NewestFirst                  // by time of push. Here `last` must be a tag of the list
)

// manifest serves one manifest, and makes the image of a listed tag on demand.
func (s *Server) manifest(w http.ResponseWriter, r *http.Request, name, reference string) {
	quirks := s.currentQuirks()
	switch r.Method {
	case http.MethodPut:
		s.pushed(w, r, name, reference)
		return
	case http.MethodHead:
		if quirks.HeadRefused {
			refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
			return
		}
	}
	if err := s.ensure(name, reference); err != nil {
		refuse(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	s.store.ServeHTTP(&manifestWriter{ResponseWriter: w, quirks: quirks, head: r.Method == http.MethodHead}, r)
}

// manifestWriter bends an answer of the store as the quirks want it.
type manifestWriter struct {
	http.ResponseWriter
	quirks Quirks
	head   bool
}

func (m *manifestWriter) WriteHeader(status int) {
	if m.quirks.NoDigest || m.quirks.HeadWithoutDigest && m.head {
		m.Header().Del("Docker-Content-Digest")
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *manifestWriter) Write(p []byte) (int, error) {
	if !m.quirks.WrongManifests || len(p) == 0 {
		return m.ResponseWriter.Write(p)
	}
	// Of the same length, still a manifest, and not the one that was pushed.
	wrong := bytes.Replace(p, []byte(`"sha256:`), []byte(`"sha255:`), 1)
	return m.ResponseWriter.Write(wrong)
}
