package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/gitlab"
	labregistry "aigw-ci/internal/lab/registry"
	"aigw-ci/internal/lab/wire"
)

// inTime is how long a run may take that meets somebody who does not answer properly.
const inTime = time.Minute

// saidInJSON is an answer of an API, in JSON.
func saidInJSON(status int, body string, header ...string) wire.Fault {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return wire.Answer("", status, h, body)
}

// circle sends every client back to where it came from.
func circle() wire.Fault {
	return wire.Fault{Serve: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
		})
	}}
}

// shorter promises more bytes than it sends, and sends what would do.
func shorter() wire.Fault {
	return wire.Fault{Serve: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := wire.Capture(next, r)
			a.Header.Set("Content-Length", "100000")
			a.WriteTo(w)
			panic(http.ErrAbortHandler)
		})
	}}
}

// TestGitLabAnswersOtherwise has GitLab answer in each way in which GitLab, and what
// stands in front of it, is known to: the run ends in time, with an exit code that
// says whether another try is of use, and in words that say what to do.
// Source of the shapes: gitlab-org/gitlab lib/api/helpers.rb, lib/api/api_guard.rb,
// workhorse/internal/badgateway, and the pages that package gitlab of the lab names.
func TestGitLabAnswersOtherwise(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault wire.Fault
		code  int
		says  string
	}{
		"no token":           {saidInJSON(401, `{"message":"401 Unauthorized"}`), 1, "GitLab does not accept the token"},
		"expired":            {saidInJSON(401, `{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`), 1, "Token is expired"},
		"revoked":            {saidInJSON(401, `{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`), 1, "Token was revoked"},
		"wrong scope":        {saidInJSON(403, `{"error":"insufficient_scope","error_description":"The request requires higher privileges","scope":"api read_api"}`), 1, "scope"},
		"fine-grained":       {saidInJSON(403, `{"error":"insufficient_granular_scope","error_description":"Access denied"}`), 1, "the token lacks a permission"},
		"blocked":            {saidInJSON(403, `{"message":"403 Forbidden - Your account has been blocked."}`), 1, "blocked"},
		"IP restriction":     {saidInJSON(403, `{"message":"403 Forbidden"}`), 1, "IP restrictions"},
		"no such path":       {saidInJSON(404, `{"error":"404 Not Found"}`), 1, "404"},
		"message an object":  {saidInJSON(400, `{"message":{"base":["wrong"]}}`), 1, "400"},
		"rack attack":        {gitlab.RackAttack(time.Hour), 6, "429"},
		"rate limit":         {gitlab.RateLimit(time.Hour), 6, "429"},
		"exception":          {gitlab.InternalError(), 6, "500"},
		"overloaded":         {gitlab.Overloaded(time.Hour), 6, "503"},
		"maintenance":        {gitlab.Maintenance(), 6, "maintenance"},
		"booting":            {gitlab.BadGateway(), 6, "502"},
		"deploy page":        {gitlab.DeployPage(), 6, "web page"},
		"sign-in":            {gitlab.SignIn(), 6, "web page"},
		"NGINX alone":        {saidInJSON(502, `{"error":"nginx returned 502 when communicating with gitlab-workhorse","status":502}`), 6, "502"},
		"nothing in it":      {saidInJSON(200, ``), 6, "JSON"},
		"another API":        {saidInJSON(200, `{"version":"v2","status":"ok"}`), 6, "not GitLab's"},
		"moved":              {wire.Redirect("", "https://elsewhere.example.com"), 6, "where the token does not go"},
		"a circle":           {circle(), 6, "redirect"},
		"dropped":            {wire.Dropped(), 6, "no answer"},
		"hanging":            {wire.Hanging(), 6, "no answer"},
		"truncated":          {wire.Truncated(), 6, "broke off"},
		"another length":     {shorter(), 6, "no answer"},
		"drop by drop":       {wire.Slow(time.Second), 6, "no answer"},
		"without end":        {wire.Endless("application/json", `{"version":"`), 6, "larger than 8 MiB"},
		"a page without end": {wire.Endless("text/html", `<html>`), 6, "larger than 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startedEstate(t)
			e.GitLab.SetFaults(tt.fault.On("", "/api/"))
			resolveOtherwise(t, e, tt.code, tt.says)
		})
	}
}

// TestRegistryAnswersOtherwise is the same for a registry and its token service. One
// that never begins to answer is given up after a minute, which is too long to wait for.
func TestRegistryAnswersOtherwise(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault  wire.Fault
		quirks labregistry.Quirks
		code   int
		says   string
	}{
		"unauthorized":      {fault: labregistry.Unauthorized(), code: 1, says: "401"},
		"denied":            {fault: labregistry.Denied(), code: 1, says: "403"},
		"too many":          {fault: labregistry.TooManyRequests(time.Hour), code: 1, says: "429"},
		"unavailable":       {fault: labregistry.Unavailable(time.Hour), code: 1, says: "503"},
		"storage":           {fault: labregistry.InternalError(), code: 1, says: "500"},
		"not there":         {fault: saidInJSON(404, `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`), code: 1, says: "404"},
		"a web page":        {fault: wire.Answer("", 200, http.Header{"Content-Type": {"text/html"}}, "<html>"), code: 1, says: "not a list of tags but a web page"},
		"another API":       {fault: saidInJSON(200, `{"status":"ok"}`), code: 1, says: "not a list of tags"},
		"no tags":           {fault: saidInJSON(200, `{"name":"a/b","tags":null}`), code: 3, says: "no gateway image"},
		"elsewhere":         {fault: wire.Redirect("", "http://elsewhere.example.com"), code: 1, says: "not https"},
		"a circle":          {fault: circle(), code: 1, says: "redirects"},
		"dropped":           {fault: wire.Dropped(), code: 1, says: "EOF"},
		"truncated":         {fault: wire.Truncated(), code: 1, says: "EOF"},
		"another length":    {fault: shorter(), code: 1, says: "EOF"},
		"without end":       {fault: wire.Endless("application/json", `{"tags":["`), code: 1, says: "larger than"},
		"drop by drop":      {fault: wire.Slow(time.Second), code: 1, says: "does not get on"},
		"token by drops":    {fault: wire.Slow(time.Second).On("", "/jwt/auth"), code: 1, says: "does not get on"},
		"wrong digests":     {quirks: labregistry.Quirks{WrongManifests: true}, code: 1, says: "digest"},
		"realm elsewhere":   {quirks: labregistry.Quirks{Realm: "http://elsewhere.example.com/token"}, code: 1, says: "not on https"},
		"realm no address":  {quirks: labregistry.Quirks{Realm: "jwt/auth"}, code: 1, says: "no address"},
		"token denied":      {fault: saidInJSON(403, `{"errors":[{"code":"DENIED","message":"access forbidden"}]}`).On("", "/jwt/auth"), code: 1, says: "access forbidden"},
		"token a web page":  {fault: gitlab.SignIn().On("", "/jwt/auth"), code: 1, says: "holds no token"},
		"token without end": {fault: wire.Endless("application/json", `{"token":"`).On("", "/jwt/auth"), code: 1, says: "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startedEstate(t)
			e.Registry.SetQuirks(tt.quirks)
			switch {
			case tt.fault.Serve == nil:
			case tt.fault.Path == "/jwt/auth":
				e.GitLab.SetFaults(tt.fault)
			default:
				e.Registry.SetFaults(tt.fault)
			}
			resolveOtherwise(t, e, tt.code, tt.says)
		})
	}
}

// Who sends us on to a stranger sends nothing along that is a secret.
func TestStrangersAreToldNothing(t *testing.T) {
	t.Parallel()
	var asked, told atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		for _, header := range []string{"Private-Token", "Job-Token", "Authorization", "Cookie"} {
			if r.Header.Get(header) != "" {
				told.Add(1)
			}
		}
	}))
	defer stranger.Close()
	to := strings.Replace(stranger.URL, "127.0.0.1", "localhost", 1)
	e := startedEstate(t)
	e.GitLab.SetFaults(wire.Redirect("", to).On("", "/api/"))
	resolveOtherwise(t, e, 6, "where the token does not go")
	if asked.Load() != 0 {
		t.Error("GitLab's stranger was asked")
	}
	e.GitLab.SetFaults()
	e.Registry.SetFaults(wire.Redirect("", to).On("", "/v2/"))
	resolveOtherwise(t, e, 1, "")
	if asked.Load() == 0 || told.Load() != 0 {
		t.Errorf("the registry's stranger was asked %d times, and told %d secrets", asked.Load(), told.Load())
	}
}

func startedEstate(t *testing.T) *lab.Estate {
	t.Helper()
	e, err := lab.Start(t.Context(), lab.Options{OwnRealm: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// resolveOtherwise has the program look for the image, which takes GitLab and the
// registry and nobody else.
func resolveOtherwise(t *testing.T, e *lab.Estate, code int, says string) {
	t.Helper()
	reports := filepath.Join(t.TempDir(), "reports")
	var out bytes.Buffer
	started := time.Now()
	got := run(t.Context(), []string{"resolve"}, system{
		environ: []string{
			"AIGW_CI_GITLAB_URL=" + e.GitLabURL, "AIGW_CI_GITLAB_TOKEN=" + gitlab.TokenReadAPI, "AIGW_CI_IMAGE_REPOSITORY=" + e.Repository(), "AIGW_CI_REPORT_DIR=" + reports,
			"AIGW_CI_REGISTRY_USER=" + gitlab.RegistryUser, "AIGW_CI_REGISTRY_PASSWORD=" + gitlab.RegistryPassword,
			"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=https://gitlab.example.com",
		},
		stdin: strings.NewReader(""), stdout: &out, stderr: &out, pace: hurried,
	})
	if took := time.Since(started); took > inTime {
		t.Errorf("it took %v", took)
	}
	if got != code || !strings.Contains(out.String(), says) {
		t.Errorf("exit code %d, want %d and %q\n%s", got, code, says, &out)
	}
	if err := keptContract(reports, got); err != nil {
		t.Error(err)
	}
	if err := leaks([]string{gitlab.TokenReadAPI, gitlab.RegistryPassword}, out.String(), reports); err != nil {
		t.Error(err)
	}
}
