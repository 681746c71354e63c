package gitlab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Error says why GitLab did not tell what it was asked, and what to do about it.
type Error struct {
	Method  string
	URL     string // without user and query
	Status  int    // 0 when there was no answer
	Problem string // what is wrong, in one line
	Excerpt string // the beginning of what was answered, one line, without the token
	Remedy  string // what the administrator can do
	Err     error  // the cause, when the answer is not all there is to say

	refused  bool          // GitLab itself has said no
	passing  bool          // may be over in a minute or two
	after    time.Duration // when GitLab wants to be asked again; 0 when it does not say
	gateway  bool          // the AI Gateway's answer, passed on by GitLab
	monolith bool          // not the gateway's: GitLab says that it is its own
	page     bool          // a web page
	json     bool          // JSON
}

func (e *Error) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s: ", e.Method, e.URL)
	if e.Status != 0 {
		fmt.Fprintf(&s, "%d: ", e.Status)
	}
	s.WriteString(e.Problem)
	if e.Excerpt != "" {
		fmt.Fprintf(&s, " (answered: %s)", e.Excerpt)
	}
	if e.Err != nil {
		fmt.Fprintf(&s, ": %v", e.Err)
	}
	return s.String() + "\n" + e.Remedy
}

func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether GitLab could not be looked at: nobody answered, it is
// overloaded or starting, or something in front of it answered instead. The same
// question may be answered later. When it is false, GitLab itself has said no (401,
// 403, 404), and will go on saying so until somebody changes something.
func (e *Error) Temporary() bool { return !e.refused }

const (
	frontRemedy     = "check gitlab.url, and that a proxy, firewall or sign-in in front of GitLab lets /api/ through for this job"
	notGitLabRemedy = "check that gitlab.url is the address of a GitLab instance"
	waitRemedy      = "wait until GitLab is up again, then run this again"
	tokenRemedy     = "put a valid personal, project or group access token with scope read_api or read_user into gitlab.token; " +
		"a job token (CI_JOB_TOKEN) cannot read the version"
)

// unreachable explains why there was no answer, and says whether that may pass: a
// restart closes the port for a while, but changes no certificate and no name.
func unreachable(err error) (problem, remedy string, passing bool) {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	dns, named := errors.AsType[*net.DNSError](err)
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled", "run this again", false
	case untrusted:
		return "its certificate is not trusted from here", "name a file with GitLab's certificate authority in ca_file", false
	case plain:
		return "it does not speak TLS", "check the scheme and the port of gitlab.url", false
	case named && dns.IsNotFound:
		return "its name is not known from here", "check gitlab.url and the name servers of the machine this runs on", false
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time", "check that GitLab is up, and that a firewall or proxy lets this machine reach it", true
	}
	return "no answer", "check that GitLab is up and gitlab.url is right; behind a proxy, also HTTPS_PROXY and NO_PROXY", true
}

// webPage explains HTML in place of JSON. During "gitlab-ctl deploy-page up" and
// behind a single sign-on it comes with status 200.
// Source: gitlab-org/gitlab workhorse/internal/upstream/routes.go.
func webPage(status int) (problem, remedy string) {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "a web page instead of GitLab's answer: the web server in front is up, GitLab is not", waitRemedy
	}
	return "answered a web page (deploy page, SSO or proxy in front?)", frontRemedy
}

// refusal explains an answer that is not a success, from its status and from what
// it said. Statuses and texts: gitlab-org/gitlab lib/api/helpers.rb,
// lib/api/api_guard.rb, lib/api/helpers/rate_limiter.rb, lib/gitlab/rack_attack.rb,
// workhorse/internal/badgateway.
func refusal(resp *http.Response, said string) (problem, remedy string) {
	lower := strings.ToLower(said)
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		switch {
		case strings.Contains(lower, "expired"):
			return "the token has expired", tokenRemedy
		case strings.Contains(lower, "revoked"):
			return "the token was revoked", tokenRemedy
		}
		return "GitLab does not accept the token", tokenRemedy
	case http.StatusForbidden:
		switch {
		case strings.Contains(lower, "granular_scope"):
			return "the token lacks a permission", "give the fine-grained token the permission to read metadata of the instance"
		case strings.Contains(lower, "insufficient_scope"):
			return "the token lacks the scope", "give gitlab.token a token with scope read_api or read_user"
		case strings.Contains(lower, "forbidden - "):
			return "GitLab does not let the token's user in",
				"sign in to GitLab as that user once and do what it asks (terms, password), or use another user's token"
		}
		return "GitLab forbids it", "check GitLab's IP restrictions against the address of the machine this runs on"
	case http.StatusNotFound:
		return "there is no GitLab API at this address", "check gitlab.url: the address of GitLab's start page, with its relative root if it has one"
	case http.StatusTooManyRequests:
		return "GitLab's rate limit is used up" + comeBack(resp.Header), "run this later, or raise the limit in GitLab's admin area (network settings)"
	case http.StatusInternalServerError:
		return "GitLab failed to answer", "look into GitLab's production_json.log and exceptions_json.log, then run this again"
	case http.StatusBadGateway:
		if strings.Contains(lower, "gitlab is not responding") {
			return "GitLab is starting, or its application server is down", waitRemedy
		}
		return "the web server in front gets no answer from GitLab", waitRemedy
	case http.StatusServiceUnavailable:
		if strings.Contains(lower, "maintenance") {
			return "GitLab is in maintenance mode" + comeBack(resp.Header), "run this again when the maintenance is over"
		}
		return "GitLab is overloaded" + comeBack(resp.Header), waitRemedy
	case http.StatusGatewayTimeout:
		return "GitLab did not answer the web server in front in time", waitRemedy
	}
	return "an unexpected answer", frontRemedy
}

// comeBack is a Retry-After that was too long to wait for.
func comeBack(h http.Header) string {
	after := printable(h.Get("Retry-After"))
	if after == "" || len(after) > 40 {
		return ""
	}
	if strings.Trim(after, "0123456789") == "" {
		after += " seconds"
	}
	return ", come back after " + after
}
