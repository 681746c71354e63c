package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"aigw-ci/internal/lab/wire"
)

// play records a call, tells the hook, and answers it with the fault that the
// script has for it.
func (e *Engine) play(w http.ResponseWriter, r *http.Request) {
	number, call, fault := e.script.begin(e.describe(r), changes(r))
	if call.Step > 0 && e.onCall != nil {
		e.onCall(call)
	}
	out := &witness{ResponseWriter: w}
	defer func() { e.script.end(number, out.status) }()

	var kept *wire.Captured
	if fault.After {
		kept = wire.Capture(e.api, r)
	}
	if !fault.pass(r) {
		panic(http.ErrAbortHandler) // the client went away while it was held
	}
	switch {
	case fault.Drop:
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		writeError(out, refuse(fault.Status, "%s", fault.Message))
	case fault.After:
		kept.WriteTo(out)
	default:
		e.api.ServeHTTP(out, r)
	}
	if out.status == 0 {
		out.status = http.StatusOK // what the server sends for a handler that said nothing
	}
}

// changes says whether a call changes anything. Of the POST calls only "wait"
// does not.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasSuffix(r.URL.Path, "/wait")
}

// describe says what a call is about.
func (e *Engine) describe(r *http.Request) Call {
	c := Call{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query()}
	rest, ok := strings.CutPrefix(c.Path, "/containers/")
	switch ref, _, _ := strings.Cut(rest, "/"); {
	case c.Path == "/containers/create":
		c.Container = c.Query.Get("name")
	case ok && c.Path != "/containers/json":
		c.Container = e.nameOf(ref)
	case strings.HasPrefix(c.Path, "/networks/") && r.Method == http.MethodPost:
		var body struct{ Container string }
		if json.Unmarshal(readAhead(r), &body) == nil && body.Container != "" {
			c.Container = e.nameOf(body.Container)
		}
	}
	return c
}

// nameOf is the name of the container ref stands for, or ref where there is none.
func (e *Engine) nameOf(ref string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, err := e.find(ref); err == nil {
		return c.name
	}
	return ref
}

// readAhead reads a small body into memory and leaves it to be read again. The
// server notices that a client went away only once the body has been read.
func readAhead(r *http.Request) []byte {
	if r.ContentLength <= 0 || r.ContentLength > maxBody {
		return nil
	}
	b, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	return b
}

// pass lets the fault's time go by. It is false when the client, or the engine,
// went away meanwhile.
func (f Fault) pass(r *http.Request) bool {
	if f.Delay <= 0 && f.Hold == nil {
		return true
	}
	readAhead(r)
	return f.delay(r.Context()) && f.hold(r.Context())
}

func (f Fault) delay(ctx context.Context) bool {
	t := time.NewTimer(f.Delay)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f Fault) hold(ctx context.Context) bool {
	if f.Hold == nil {
		return true
	}
	select {
	case <-f.Hold:
		return true
	case <-ctx.Done():
		return false
	}
}

// witness remembers the status of an answer.
type witness struct {
	http.ResponseWriter
	status int
}

func (w *witness) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *witness) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }
