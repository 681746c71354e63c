package engine

import (
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Rule plays a fault on chosen calls. Of several rules that match a call the
// first one that is due acts; all of them count it.
type Rule struct {
	Method    string         // "POST"; empty matches any
	Path      *regexp.Regexp // on the path without the API version: `^/containers/[^/]+/start$`; nil matches any
	Container string         // the name of the container the call is about; empty matches any

	Nth    int  // the matching call that is hit, from 1; 0 is the first
	Always bool // hits every matching call from the Nth on, not just that one

	Fault Fault
}

// Fault is what happens to a call. The fields combine, in this order: the call
// is carried out (After), time passes (Delay, Hold), the answer is lost or
// replaced (Drop, Status). With neither Drop nor Status the call goes on as if
// nothing had happened.
type Fault struct {
	// After carries the call out first. With Status the engine lies: it did what
	// it says it could not. With Drop the answer is lost, and the deed is done.
	After bool

	Delay time.Duration
	Hold  <-chan struct{} // holds the call until it is closed; nil does not. A client that goes away ends the call

	// Drop closes the connection without an answer. Go's client repeats a GET by
	// itself when that happens on a connection it used before.
	Drop    bool
	Status  int // answers with this status and Message
	Message string
}

// Call is one call as the engine saw it.
type Call struct {
	Step      int // counts the calls that change something, from 1; 0 for a call that only reads
	Method    string
	Path      string // without the API version
	Query     url.Values
	Container string // the name of the container it is about, as it was when the call came in; empty for other calls
	Status    int    // what was answered; 0 while there is no answer, and when it was dropped
}

// script holds the rules and the record of calls.
type script struct {
	mu    sync.Mutex
	rules []*countedRule
	calls []Call
	steps int
}

type countedRule struct {
	Rule
	seen int
}

func (s *script) add(rules []Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		s.rules = append(s.rules, &countedRule{Rule: r})
	}
}

// begin records a call, and says which fault hits it.
func (s *script) begin(c Call, changes bool) (number int, recorded Call, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if changes {
		s.steps++
		c.Step = s.steps
	}
	s.calls = append(s.calls, c)
	hit := false
	for _, r := range s.rules {
		if !r.matches(c) {
			continue
		}
		r.seen++
		if !hit && r.due() {
			f, hit = r.Fault, true
		}
	}
	return len(s.calls) - 1, c, f
}

func (s *script) end(number, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[number].Status = status
}

func (r *countedRule) matches(c Call) bool {
	return (r.Method == "" || r.Method == c.Method) &&
		(r.Path == nil || r.Path.MatchString(c.Path)) &&
		(r.Container == "" || r.Container == c.Container)
}

func (r *countedRule) due() bool {
	nth := max(r.Nth, 1)
	return r.seen == nth || r.Always && r.seen > nth
}

// Add appends rules to the script; they count from now on.
func (e *Engine) Add(rules ...Rule) { e.script.add(rules) }

// Journal is every call so far, oldest first.
func (e *Engine) Journal() []Call {
	e.script.mu.Lock()
	defer e.script.mu.Unlock()
	return slices.Clone(e.script.calls)
}
