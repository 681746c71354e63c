package wire

import (
	"bytes"
	"maps"
	"net/http"
)

// Captured is an answer held back.
type Captured struct {
	Status int
	Header http.Header
	Body   []byte
}

// Capture asks h in this process, without a connection, and holds its answer back.
func Capture(h http.Handler, r *http.Request) *Captured {
	rec := &recorder{header: make(http.Header)}
	h.ServeHTTP(rec, r)
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	return &Captured{Status: rec.status, Header: rec.header, Body: rec.body.Bytes()}
}

// WriteTo sends the answer.
func (c *Captured) WriteTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), c.Header)
	w.WriteHeader(c.Status)
	_, _ = w.Write(c.Body)
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}
