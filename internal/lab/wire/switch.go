package wire

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Fault is a bad answer and the requests that get it.
type Fault struct {
	Name   string
	Method string // "" is any
	Path   string // a part of the path; "" is any
	Times  int    // so many requests; 0 is every one until the fault is cleared

	// Serve answers in the place of next, or with what next would have said.
	Serve func(next http.Handler) http.Handler
}

// On returns the fault for requests with this method ("" is any) and this part in
// their path.
func (f Fault) On(method, path string) Fault { f.Method, f.Path = method, path; return f }

// For returns the fault for so many requests; 0 is until cleared.
func (f Fault) For(times int) Fault { f.Times = times; return f }

func (f Fault) matches(r *http.Request) bool {
	return (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path)
}

// Switch turns faults on and off while a server runs. The zero Switch has none.
type Switch struct {
	mu     sync.Mutex
	faults []Fault
}

// Set replaces the faults. A request gets the first that matches it, so that
// several with a number of Times are a script: first 429, then 502, then well.
func (s *Switch) Set(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.Clone(faults)
}

// Wrap answers with the faults that are on, and otherwise with next.
func (s *Switch) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f, on := s.take(r); on {
			f.Serve(next).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Switch) take(r *http.Request) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.matches(r) {
			continue
		}
		switch f.Times {
		case 0: // until cleared
		case 1:
			s.faults = slices.Delete(s.faults, i, i+1)
		default:
			s.faults[i].Times--
		}
		return f, true
	}
	return Fault{}, false
}
