package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// The API versions spoken: those of Docker 20.10.
const (
	apiVersion = "1.41"
	apiMinor   = 41
	apiOldest  = 12
)

// maxBody bounds a request's JSON, in bytes.
const maxBody = 4 << 20

// front is one period of serving; a restart ends it and begins another.
type front struct {
	network, addr string
	server        *http.Server
	calls         context.Context // of every call
	cancel        context.CancelFunc
}

// serve begins to listen. The gate is held.
func (e *Engine) serve(network, addr string) error {
	l, err := net.Listen(network, addr)
	if err != nil {
		return fmt.Errorf("starting the stand-in engine: %w", err)
	}
	ctx, cancel := context.WithCancel(e.life)
	f := &front{network: network, addr: l.Addr().String(), calls: ctx, cancel: cancel}
	f.server = &http.Server{Handler: http.HandlerFunc(e.answer), BaseContext: func(net.Listener) context.Context { return ctx }}
	e.front.Store(f)
	e.work.Go(func() {
		if err := f.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			e.log.Error("stand-in engine stopped serving", "error", err)
		}
	})
	e.log.Info("stand-in engine is ready", "host", network+"://"+f.addr)
	return nil
}

// hangUp ends the calls under way, so that the gate can be taken.
func (e *Engine) hangUp() {
	if f := e.front.Load(); f != nil {
		f.cancel()
		f.server.Close() // the listener's error is of no use to anyone
	}
}

// stopServing forgets the front. The gate is held.
func (e *Engine) stopServing() {
	e.hangUp()
	e.front.Store(nil)
}

var versioned = regexp.MustCompile(`^/v(\d{1,3})\.(\d{1,3})(/.*)$`)

// answer answers one call of the Engine API, under the rules of the script.
func (e *Engine) answer(w http.ResponseWriter, r *http.Request) {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.front.Load() == nil {
		panic(http.ErrAbortHandler) // it came in while the engine went down
	}
	h := w.Header()
	h.Set("Api-Version", apiVersion)
	h.Set("Docker-Experimental", "false")
	h.Set("Ostype", "linux")
	h.Set("Server", "aigw-lab-engine/"+apiVersion+" (linux)")
	if v := versioned.FindStringSubmatch(r.URL.Path); v != nil {
		if err := checkVersion(v[1], v[2]); err != nil {
			writeError(w, err)
			return
		}
		r.URL.Path, r.URL.RawPath = v[3], ""
	}
	e.play(w, r)
}

func checkVersion(major, minor string) error {
	m, err := strconv.Atoi(minor)
	switch {
	case err != nil || major != "1" || m > apiMinor:
		return refuse(http.StatusBadRequest, "client version %s.%s is too new. Maximum supported API version is %s", major, minor, apiVersion)
	case m < apiOldest:
		return refuse(http.StatusBadRequest, "client version %s.%s is too old. Minimum supported API version is 1.%d, please upgrade your client to a newer version", major, minor, apiOldest)
	}
	return nil
}

// refusal is an error with the status the Engine API gives it.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// errUnchanged is the answer to "start" and "stop" of a container that is
// already in that state.
var errUnchanged = errors.New("not modified")

// handler answers a call; what it returns becomes the API's error body.
type handler func(w http.ResponseWriter, r *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		writeError(w, err)
	}
}

func writeError(w http.ResponseWriter, err error) {
	if errors.Is(err, errUnchanged) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	status := http.StatusInternalServerError
	if r := (*refusal)(nil); errors.As(err, &r) {
		status = r.status
	}
	writeJSON(w, status, map[string]string{"message": err.Error()})
}

// writeJSON answers with v. The client may be gone; nobody else could be told.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
	return nil
}

// readJSON decodes a request's body, as strictly as Docker 20.10 does.
func readJSON(r *http.Request, v any) error {
	if t := r.Header.Get("Content-Type"); !strings.HasPrefix(t, "application/json") {
		return refuse(http.StatusBadRequest, "Content-Type specified (%s) must be 'application/json'", t)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return err
	case len(b) > maxBody:
		return refuse(http.StatusRequestEntityTooLarge, "request body is larger than %d bytes", maxBody)
	}
	return json.NewDecoder(bytes.NewReader(b)).Decode(v)
}

// truth reads a query flag: anything but "", "0", "no", "false" and "none" is
// true (moby, api/server/httputils/form.go).
func truth(r *http.Request, name string) bool {
	switch strings.ToLower(strings.TrimSpace(r.URL.Query().Get(name))) {
	case "", "0", "no", "false", "none":
		return false
	}
	return true
}
