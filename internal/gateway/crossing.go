package gateway

import (
	"fmt"
	"strings"

	"aigw-ci/internal/version"
)

// Gap is a variable that a gateway needs and does not have, or not in a form that
// it can use.
type Gap struct {
	Name string
	Key  bool   // it holds an RSA private key: GenerateKey makes one
	Bad  error  // why the value that is there is of no use; nil when there is none
	New  bool   // the gateway before did without it
	Line string // the first line that needs it, "18.9"

	variable Variable // of what is no key
}

// Crossing compares a gateway's environment with what gateways of line to need.
// The gateway before was of line from; the zero line when that is not known, or
// when there was none: then everything is new.
//
// Lookup tells whether a variable is set, and its value. A value that is not known
// here, such as one that Kubernetes takes from a secret, is empty, and is taken for
// a good one.
func Crossing(from, to version.Line, lookup func(name string) (value string, set bool)) []Gap {
	var gaps []Gap
	to = atLeast(to)
	for _, k := range facts.Keys {
		value, set := lookup(k.Name)
		gap := Gap{Name: k.Name, Key: true, New: k.newFor(from), Line: version.Line(k.Since).String()}
		if set && value != "" {
			gap.Bad = CheckKey(value)
		}
		if k.holds(to) && (!set || gap.Bad != nil) {
			gaps = append(gaps, gap)
		}
	}
	for _, v := range facts.Variables {
		if _, set := lookup(v.Name); set || !v.holds(to) {
			continue
		}
		gap := Gap{Name: v.Name, New: v.newFor(from), Line: version.Line(v.Since).String(), variable: v.Variable}
		if gap.New || v.Without != "" { // a gateway that did well without needs no telling
			gaps = append(gaps, gap)
		}
	}
	return gaps
}

func (s span) newFor(from version.Line) bool {
	return from == version.Line{} || !s.holds(atLeast(from))
}

// Fills reports whether an upgrade closes the gap by itself: it adds what is not
// there, unless that would be a choice of the administrator's, and never replaces
// what is.
func (g Gap) Fills() bool { return g.Bad == nil && (g.Key || g.New) }

// Value is what fills the gap of a variable that holds no key, for the GitLab at url.
func (g Gap) Value(url string) string { return g.variable.Value(url) }

// String is the gap as a plan tells it.
func (g Gap) String() string {
	switch {
	case g.Bad != nil:
		return fmt.Sprintf("%s, which gateways of GitLab %s and later need, cannot be used: %v; give a good one in gateway.environment_from (openssl genrsa %d)", g.Name, g.Line, g.Bad, keyBits)
	case g.Key:
		return fmt.Sprintf("%s will be added, which gateways of GitLab %s and later need: a generated RSA key of %d bits, kept across upgrades", g.Name, g.Line, keyBits)
	case g.New:
		return fmt.Sprintf("%s will be added, which gateways of GitLab %s and later need", g.Name, g.Line)
	}
	return fmt.Sprintf("%s is not set: %s; set it in gateway.environment", g.Name, g.variable.Without)
}

// StaleCommand finds the command of another line among the words of a container's
// own entrypoint and command; empty when there is none. An image has its command
// in one place only.
func StaleCommand(words []string, line version.Line) string {
	now := For(line).Command
	for _, word := range words {
		for part := range strings.FieldsSeq(word) {
			for _, c := range facts.Commands {
				if c.Path != now && relative(part) == relative(c.Path) {
					return part
				}
			}
		}
	}
	return ""
}

// relative is a path from the image's working directory. Source: ai-assist,
// Dockerfile (WORKDIR).
func relative(p string) string {
	for _, dir := range []string{"./", "/home/aigateway/app/", "/app/"} {
		if rest, ok := strings.CutPrefix(p, dir); ok {
			return rest
		}
	}
	return p
}
