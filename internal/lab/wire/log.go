package wire

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxEntries bounds what a lab that runs for days remembers of each request. The
// counters go on.
const maxEntries = 10_000

// Entry is one request as it was answered.
type Entry struct {
	Time   time.Time
	Method string
	URI    string // path and query
	Auth   string // the kind of credentials that came: "", "Basic", "Bearer", "Private-Token", "Job-Token"
	Status int    // 0 when the connection was dropped before an answer
	Bytes  int64  // of the body, as sent
}

// Log records requests. The zero Log is ready to use, also by several goroutines.
type Log struct {
	mu      sync.Mutex
	entries []Entry
	count   int
	bytes   int64
}

// Wrap records every request that next answers.
func (l *Log) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := Entry{Time: time.Now(), Method: r.Method, URI: r.URL.RequestURI(), Auth: credentials(r.Header)}
		m := &meter{ResponseWriter: w}
		defer func() { // also when a fault aborts the connection
			entry.Status, entry.Bytes = m.status, m.bytes
			l.add(entry)
		}()
		next.ServeHTTP(m, r)
		m.WriteHeader(http.StatusOK) // a handler that wrote nothing answered 200
	})
}

func (l *Log) add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	l.bytes += e.Bytes
	if len(l.entries) == maxEntries {
		l.entries = append(l.entries[:0], l.entries[maxEntries/2:]...)
	}
	l.entries = append(l.entries, e)
}

// Entries are the requests so far, oldest first. After very many, the oldest are gone.
func (l *Log) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Entry(nil), l.entries...)
}

// Requests is the number of requests so far, and Bytes what their answers weighed.
func (l *Log) Requests() int { l.mu.Lock(); defer l.mu.Unlock(); return l.count }

// Bytes is the number of body bytes answered so far.
func (l *Log) Bytes() int64 { l.mu.Lock(); defer l.mu.Unlock(); return l.bytes }

// Count is the number of remembered requests with this method ("" is any) whose
// URI contains part.
func (l *Log) Count(method, part string) int {
	n := 0
	for _, e := range l.Entries() {
		if (method == "" || e.Method == method) && strings.Contains(e.URI, part) {
			n++
		}
	}
	return n
}

// Reset forgets everything.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.count, l.bytes = nil, 0, 0
}

// credentials names the kind of credentials, never their value.
func credentials(h http.Header) string {
	switch {
	case h.Get("Private-Token") != "":
		return "Private-Token"
	case h.Get("Job-Token") != "":
		return "Job-Token"
	}
	scheme, _, _ := strings.Cut(h.Get("Authorization"), " ")
	return scheme
}

// meter counts what a handler writes.
type meter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (m *meter) WriteHeader(status int) {
	if m.status == 0 {
		m.status = status
		m.ResponseWriter.WriteHeader(status)
	}
}

func (m *meter) Write(p []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	n, err := m.ResponseWriter.Write(p)
	m.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach Flush.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }
