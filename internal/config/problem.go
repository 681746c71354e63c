package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"aigw-ci/internal/secret"
)

// Problem is one thing that is wrong with what the user wrote.
type Problem struct {
	Setting string // as the user spelled it: "--gitlab-url", "AIGW_CI_GITLAB_URL", "gitlab.url"; empty when it is about a whole file
	Source  string // "command line", "environment", or "<file>:<line>"
	Message string // what is wrong, and what would be right
}

func (p Problem) String() string {
	if p.Setting == "" {
		return p.Source + ": " + p.Message
	}
	return p.Setting + " (" + p.Source + "): " + p.Message
}

// Error is everything that is wrong with the settings, at least one problem. It
// never contains the value of a secret.
type Error struct {
	Problems []Problem // the first hundred
	Dropped  int       // how many there were after them
}

// mostProblems is how many a person reads before correcting some.
const mostProblems = 100

func (e *Error) Error() string {
	var b strings.Builder
	if len(e.Problems) == 1 {
		b.WriteString("a setting is wrong:\n")
	} else {
		fmt.Fprintf(&b, "%d settings are wrong:\n", len(e.Problems)+e.Dropped)
	}
	for _, p := range e.Problems {
		b.WriteString("  " + p.String() + "\n")
	}
	if e.Dropped > 0 {
		fmt.Fprintf(&b, "  and %d more\n", e.Dropped)
	}
	b.WriteString("nothing was contacted or changed: correct this and run again")
	return b.String()
}

var _ error = (*Error)(nil)

// origin is where a value was written and how its setting is spelled there.
type origin struct{ setting, source string }

func (o origin) problem(format string, args ...any) Problem {
	return Problem{Setting: o.setting, Source: o.source, Message: fmt.Sprintf(format, args...)}
}

// userinfo is where the user and the password stand in an address.
var userinfo = regexp.MustCompile(`//.*@`)

// quote shows a value that is no secret, as far as it is worth showing. What could be
// a password in an address is left out, also where no address belongs.
func quote(s string) string {
	const most = 48
	s = userinfo.ReplaceAllLiteralString(s, "//"+secret.Redacted+"@")
	return strconv.Quote(secret.Cut(s, most))
}
