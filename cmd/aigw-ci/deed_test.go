package main

import (
	"net/http"
	"regexp"
	"strings"

	"aigw-ci/internal/lab/engine"
)

// deed is one thing that the program does to the engine, without what differs from
// run to run.
type deed struct{ method, path, container string }

// deedOf tells the deed from the call.
func deedOf(c engine.Call) deed {
	part := strings.Split(strings.Trim(c.Path, "/"), "/")
	if len(part) > 1 && part[1] != "create" {
		part[1] = "*" // an ID, or a name that changes
	}
	return deed{c.Method, "/" + strings.Join(part, "/"), c.Container}
}

// String is "POST start gitlab-aigw", or "POST create images".
func (d deed) String() string {
	part := strings.Split(strings.Trim(d.path, "/"), "/")
	verb, whom := part[len(part)-1], d.container
	if verb == "*" {
		verb = "remove"
	}
	if whom == "" {
		whom = part[0]
	}
	return d.method + " " + verb + " " + whom
}

// rule plays a fault when it is done for the nth time.
func (d deed) rule(nth int, f engine.Fault) engine.Rule {
	path := strings.ReplaceAll(regexp.QuoteMeta(d.path), `\*`, `[^/]+`)
	return engine.Rule{Method: d.method, Path: regexp.MustCompile("^" + path + "$"), Container: d.container, Nth: nth, Fault: f}
}

// ofLock reports whether a call has to do with the lock alone: its container, and
// the empty image that this one is made from.
func ofLock(c engine.Call) bool {
	return strings.HasSuffix(c.Container, ".aigw-ci-lock") ||
		c.Path == "/images/create" && c.Query.Get("fromSrc") == "-" ||
		c.Method == http.MethodDelete && strings.HasPrefix(c.Path, "/images/")
}

// late reports a call about a container that is gone already, which the engine
// knows by no name: a sign of life may arrive after its lock was given back.
func late(c engine.Call) bool { return len(c.Container) == 64 }

// changes are the deeds since the first n calls, but for the lock's.
func (w *world) changes(n int) []string {
	var made []string
	for _, c := range w.engine.Journal()[n:] {
		if c.Step > 0 && !ofLock(c) && !late(c) {
			made = append(made, deedOf(c).String())
		}
	}
	return made
}
