package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"aigw-ci/internal/road"
)

// stubEngine is as much of a Docker Engine as these tests need, on the other end
// of a real HTTP connection in memory. What a test scripts beyond that, it adds to
// the mux, or hooks into fail.
type stubEngine struct {
	*http.ServeMux
	// fail is asked about each request first; it may answer it, and says whether it did.
	fail func(w http.ResponseWriter, r *http.Request) bool

	mu         sync.Mutex
	containers map[string]*stubContainer // by ID
	images     map[string]string         // name to role
	made       int
	imports    int
}

type stubContainer struct {
	ID, Name string
	Config   struct {
		Image  string
		Labels map[string]string
	}
	lease []byte
}

var apiVersion = regexp.MustCompile(`^/v1\.\d+`)

func newStub() *stubEngine {
	s := &stubEngine{
		ServeMux:   http.NewServeMux(),
		containers: make(map[string]*stubContainer),
		images:     make(map[string]string),
	}
	s.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	s.HandleFunc("POST /containers/create", s.create)
	s.HandleFunc("GET /containers/{id}/json", s.inspect)
	s.HandleFunc("DELETE /containers/{id}", s.remove)
	s.HandleFunc("PUT /containers/{id}/archive", s.put)
	s.HandleFunc("GET /containers/{id}/archive", s.get)
	s.HandleFunc("POST /images/create", s.importImage)
	s.HandleFunc("GET /images/json", s.listImages)
	s.HandleFunc("DELETE /images/{name...}", s.removeImage)
	return s
}

// engine connects to the stub. It is closed with the test.
func (s *stubEngine) engine(t *testing.T, log *slog.Logger) *Engine {
	t.Helper()
	listener := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = apiVersion.ReplaceAllString(r.URL.Path, "")
		if s.fail == nil || !s.fail(w, r) {
			s.ServeHTTP(w, r)
		}
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		host:   hostAddress{Scheme: "unix", Socket: "/stub.sock"},
		dial:   listener.dial,
		log:    log,
		relays: make(map[string]*relay),
	}
	if err := e.open(ConnectOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.Close(context.Background())
		_ = server.Close()
		serving.Wait()
	})
	return e
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	reply(w, status, map[string]string{"message": fmt.Sprintf(format, args...)})
}

// find takes an ID or a name. The caller holds mu.
func (s *stubEngine) find(w http.ResponseWriter, key string) *stubContainer {
	for _, c := range s.containers {
		if c.ID == key || c.Name == key {
			return c
		}
	}
	refuse(w, http.StatusNotFound, "No such container: %s", key)
	return nil
}

func (s *stubEngine) create(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &stubContainer{Name: r.URL.Query().Get("name")}
	if err := json.NewDecoder(r.Body).Decode(&c.Config); err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	if _, has := s.images[c.Config.Image]; !has {
		refuse(w, http.StatusNotFound, "No such image: %s", c.Config.Image)
		return
	}
	for _, other := range s.containers {
		if other.Name == c.Name {
			refuse(w, http.StatusConflict, "Conflict. The container name %q is already in use", "/"+c.Name)
			return
		}
	}
	s.made++
	c.ID = fmt.Sprintf("%064x", s.made)
	s.containers[c.ID] = c
	reply(w, http.StatusCreated, map[string]string{"Id": c.ID})
}

func (s *stubEngine) inspect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(w, r.PathValue("id")); c != nil {
		reply(w, http.StatusOK, map[string]any{"Id": c.ID, "Name": "/" + c.Name, "Config": c.Config})
	}
}

func (s *stubEngine) remove(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(w, r.PathValue("id")); c != nil {
		delete(s.containers, c.ID)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *stubEngine) put(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(w, r.PathValue("id")); c != nil {
		c.lease, _ = io.ReadAll(r.Body)
	}
}

func (s *stubEngine) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(w, r.PathValue("id"))
	switch {
	case c == nil:
	case c.lease == nil:
		refuse(w, http.StatusNotFound, "Could not find the file %s in container %s", r.URL.Query().Get("path"), c.ID)
	default:
		w.Header().Set("X-Docker-Container-Path-Stat", "e30=") // {}
		_, _ = w.Write(c.lease)
	}
}

func (s *stubEngine) importImage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := tar.NewReader(r.Body).Next()
	if err != nil && err != io.EOF {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	_, role, _ := strings.Cut(r.URL.Query().Get("changes"), "=")
	s.images[r.URL.Query().Get("repo")] = role
	s.imports++
	reply(w, http.StatusOK, map[string]string{"status": "sha256:1"})
}

func (s *stubEngine) listImages(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for name, role := range s.images {
		if strings.Contains(r.URL.Query().Get("filters"), LabelRole+"="+role) {
			list = append(list, map[string]any{"Id": name})
		}
	}
	reply(w, http.StatusOK, list)
}

func (s *stubEngine) removeImage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.containers {
		if c.Config.Image == r.PathValue("name") {
			refuse(w, http.StatusConflict, "image is in use by container %s", c.ID)
			return
		}
	}
	delete(s.images, r.PathValue("name"))
	reply(w, http.StatusOK, []any{})
}

// names are the containers there are.
func (s *stubEngine) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, c := range s.containers {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// memoryListener accepts connections that never leave the process, so that time
// in a test can be made to pass.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memoryListener) Addr() net.Addr { return road.Addr("memory") }

// recorder is a log that a test can read.
type recorder struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func (r *recorder) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
