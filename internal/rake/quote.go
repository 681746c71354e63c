package rake

import (
	"regexp"
	"strings"

	"aigw-ci/internal/secret"
)

// maxQuote is how much of a line is quoted, in bytes; maxQuotes is of how many.
const (
	maxQuote  = 200
	maxQuotes = 4
)

// secrets are what may well be one in an application's output, besides what a redactor
// knows everywhere: a password in an address, and values of variables and headers that
// are called so.
var secrets = regexp.MustCompile(`(?i)//[^/\s@:]*:[^/\s@]+@` +
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
	return secret.Cut(strings.TrimSpace(s), limit)
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
