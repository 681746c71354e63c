package registry

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"aigw-ci/internal/secret"
)

// statusError is an answer other than 200.
type statusError struct {
	what   string // the request
	host   string
	code   int
	reason string // the registry's own words, bounded and cleaned
	shown  string // what was shown to be let in
}

// refusal is an answer other than 200 as an error.
func (r *Registry) refusal(resp *http.Response, u *url.URL, shown string) *statusError {
	return &statusError{
		what: what(u), host: u.Host, code: resp.StatusCode,
		reason: reasonOf(resp.Body, r.redact), shown: shown,
	}
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("%s: %d %s", e.what, e.code, http.StatusText(e.code))
	if e.reason != "" {
		s += " (" + e.reason + ")"
	}
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden:
		s += ": asked " + e.shown + "; check that this may pull from the repository"
	case http.StatusNotFound:
		s += ": asked " + e.shown + "; check the name, and whether it needs credentials (some registries hide what one may not see)"
	case http.StatusTooManyRequests:
		s += ": asked " + e.shown + "; the registry limits requests, credentials often raise the limit"
	}
	if e.code >= 500 {
		s += ": the registry is in trouble; run this again when it is well"
	}
	return s
}

// maxReason bounds the body of a refusal, in bytes.
const maxReason = 64 << 10

// reasonOf reads the first error of a refusal's body. Source: OCI distribution-spec,
// "Error Codes". Some repeat in it what they were shown.
func reasonOf(body io.Reader, redact *secret.Redactor) string {
	b, err := io.ReadAll(io.LimitReader(body, maxReason))
	if err != nil {
		return ""
	}
	var refusal struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(b, &refusal) != nil || len(refusal.Errors) == 0 {
		return ""
	}
	first := refusal.Errors[0]
	return strings.TrimSpace(clean(redact.String(first.Code)) + " " + clean(redact.String(first.Message)))
}

// describeBody says what an answer is when it is not what was asked for.
func describeBody(a *answer) string {
	start := strings.ToLower(strings.TrimSpace(string(a.body[:min(len(a.body), 256)])))
	switch {
	case start == "":
		return "empty"
	case strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html"):
		return "a web page"
	}
	return "something else (Content-Type " + quote(a.header.Get("Content-Type")) + ")"
}

// maxQuoted is how much of a foreign text an error repeats, in bytes.
const maxQuoted = 200

// clean makes foreign text fit for one line of a log.
func clean(s string) string { return secret.Line(s, maxQuoted) }

// quote is clean text in quotes. They are Go's: a secret stays one that a redactor
// finds.
func quote(s string) string { return strconv.Quote(clean(s)) }
