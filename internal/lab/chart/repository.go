package chart

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"aigw-ci/internal/lab/wire"
)

// RepositoryOptions describe a repository.
type RepositoryOptions struct {
	// User and Password are wanted from everybody when they are not "".
	User, Password string
}

// Repository is a chart repository as GitLab's package registry serves one: an
// index.yaml, and charts/NAME-VERSION.tgz beside it. It is an http.Handler, safe for
// concurrent use, and serves below any path that its requests come with:
// ".../packages/helm/devel/index.yaml".
// Source: docs.gitlab.com/user/packages/helm_repository.
type Repository struct {
	options RepositoryOptions
	handler http.Handler
	log     wire.Log
	faults  wire.Switch

	mu     sync.Mutex
	charts []packed // oldest first
}

var _ http.Handler = (*Repository)(nil)

// packed is a chart in a repository.
type packed struct {
	fields
	archive []byte
}

// NewRepository makes a repository without charts.
func NewRepository(o RepositoryOptions) *Repository {
	r := &Repository{options: o}
	r.handler = r.log.Wrap(r.faults.Wrap(http.HandlerFunc(r.route)))
	return r
}

func (r *Repository) ServeHTTP(w http.ResponseWriter, q *http.Request) { r.handler.ServeHTTP(w, q) }

// Log is what the repository was asked.
func (r *Repository) Log() *wire.Log { return &r.log }

// SetFaults makes requests fail, in the order given; without arguments all is well again.
func (r *Repository) SetFaults(faults ...wire.Fault) { r.faults.Set(faults...) }

// Add publishes a chart, or publishes a version once more. The entries that more
// describes are packed behind it; see Hostile.
func (r *Repository) Add(o Options, more ...tar.Header) error {
	data, err := Archive(o, more...)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.charts = slices.DeleteFunc(r.charts, func(c packed) bool { return c.Version == o.Version })
	r.charts = append(r.charts, packed{fields: o.fields(), archive: data})
	return nil
}

func (r *Repository) route(w http.ResponseWriter, q *http.Request) {
	user, password, _ := q.BasicAuth()
	if r.options.User != "" && (user != r.options.User || password != r.options.Password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab Packages Registry"`)
		http.Error(w, "HTTP Basic: Access denied", http.StatusUnauthorized)
		return
	}
	if strings.HasSuffix(q.URL.Path, "/index.yaml") {
		w.Header().Set("Content-Type", "text/yaml")
		_, _ = w.Write(r.index())
		return
	}
	r.mu.Lock()
	at := slices.IndexFunc(r.charts, func(c packed) bool { return strings.HasSuffix(q.URL.Path, "/"+c.url()) })
	var archive []byte
	if at >= 0 {
		archive = r.charts[at].archive
	}
	r.mu.Unlock()
	if at < 0 {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(archive)
}

// url is relative to the index's.
func (c packed) url() string { return "charts/" + Name + "-" + c.Version + ".tgz" }

// index is index.yaml, newest last: the order of a real one means nothing either.
// Source: helm.sh/docs/topics/chart_repository, "The index file".
func (r *Repository) index() []byte {
	type entry struct {
		fields
		Created time.Time `json:"created"`
		Digest  string    `json:"digest"`
		URLs    []string  `json:"urls"`
	}
	entries := []entry{}
	made := time.Unix(1_700_000_000, 0).UTC()
	r.mu.Lock()
	for i, c := range r.charts {
		entries = append(entries, entry{
			fields: c.fields, Created: made.Add(time.Duration(i) * time.Hour),
			Digest: fmt.Sprintf("%x", sha256.Sum256(c.archive)), URLs: []string{c.url()},
		})
	}
	r.mu.Unlock()
	text, err := json.MarshalIndent(map[string]any{
		"apiVersion": "v1", "generated": made, "entries": map[string]any{Name: entries},
	}, "", "  ")
	if err != nil {
		panic(err) // strings and times
	}
	return append(text, '\n')
}
