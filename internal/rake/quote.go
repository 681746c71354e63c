package rake

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"aigw-ci/internal/secret"
)

// maxQuote is how much of a line is quoted, in bytes; maxQuotes is of how many.
const (
	maxQuote  = 200
	maxQuotes = 4
)

// secrets are what secrets look like when nobody has named them: a password in an
// address, tokens of GitLab and of model vendors, signed tokens, and values of
// variables and headers that are called so.
var secrets = regexp.MustCompile(`(?i)//[^/\s@:]*:[^/\s@]+@` +
	`|\bgl[a-z]{1,6}-[a-z0-9_.-]{10,}|\bsk-[a-z0-9_-]{10,}|\beyj[a-z0-9_=.-]{10,}` +
	`|\b(?:bearer|basic)\s+[a-z0-9+/=._-]{8,}` +
	`|[a-z0-9_-]*(?:token|secret|password|passwd|api_?key|authorization|private_key)["']?\s*(?:=>|[:=])\s*(?:(?:bearer|basic)\s+)?\S+`)

// quote makes a text of the task fit to be shown: no control characters but line
// breaks, no secrets, at most limit bytes.
func (o Options) quote(s string, limit int) string {
	s = strings.Join(lines([]byte(s)), "\n")
	s = secrets.ReplaceAllStringFunc(o.Redactor.String(s), func(found string) string {
		if strings.HasPrefix(found, "//") {
			return "//" + secret.Redacted + "@"
		}
		return secret.Redacted
	})
	s = strings.TrimSpace(s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "..."
}

// quoteAll quotes the first few lines.
func (o Options) quoteAll(found []string) string {
	var quoted []string
	for _, line := range found[:min(len(found), maxQuotes)] {
		quoted = append(quoted, o.quote(strings.TrimFunc(line, ornament), maxQuote))
	}
	if len(found) > maxQuotes {
		quoted = append(quoted, "...")
	}
	return strings.Join(quoted, "; ")
}
