package registry

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aigw-ci/internal/secret"
)

const hidden = "correct-horse-battery-staple"

func login(user, password string) func(*Options) {
	return func(o *Options) { o.User, o.Password = user, secret.Value(password) }
}

func TestRefusalsAreExplainedAndNotRetried(t *testing.T) {
	t.Parallel()
	always := func(code int, at string) func(*estate) {
		return func(e *estate) {
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, at) {
					w.WriteHeader(code)
				}
				return strings.Contains(r.URL.Path, at)
			}
		}
	}
	for _, tt := range []struct {
		name             string
		change           func(*estate)
		options          func(*Options)
		want             string
		registry, tokens int
	}{
		{"wrong password at the token service", func(e *estate) { e.user, e.password = "alice", "x" }, login("alice", hidden),
			`/token: 401 Unauthorized (UNAUTHORIZED authentication required): asked as user "alice" with the password from registry.user`, 1, 1},
		{"no credentials at the token service", func(e *estate) { e.user, e.password = "alice", "x" }, func(*Options) {},
			"/token: 401 Unauthorized (UNAUTHORIZED authentication required): asked anonymously, since no credentials for ", 1, 1},
		{"forbidden at the token service", always(403, "/token"), login("alice", hidden), "/token: 403 Forbidden: asked as user", 1, 1},
		{"wrong password, Basic", func(e *estate) { e.basic, e.user, e.password = true, "alice", "x" }, login("alice", hidden),
			`401 Unauthorized (UNAUTHORIZED authentication required): asked as user "alice"`, 2, 0},
		{"no credentials, Basic", func(e *estate) { e.basic, e.user, e.password = true, "alice", "x" }, func(*Options) {},
			"asked anonymously, since no credentials for ", 1, 0},
		{"token not accepted", always(401, "/v2/"), login("alice", hidden), "401 Unauthorized: asked without the credentials from registry.user", 1, 0},
		{"forbidden", always(403, "/v2/"), login("alice", hidden), "403 Forbidden: asked without credentials, which the registry did not demand", 1, 0},
		{"forbidden manifest", always(403, "/manifests/"), login("alice", hidden), `403 Forbidden: asked as user "alice"`, 3, 1},
		{"identity token refused", func(e *estate) { e.user = "alice" }, func(o *Options) {
			o.Environment = env("DOCKER_AUTH_CONFIG", `{"auths":{"127.0.0.1":{},"`+strings.Split(o.Repositories[0], "/")[0]+`":{"identitytoken":"`+hidden+`"}}}`)
		}, "asked with the identity token from DOCKER_AUTH_CONFIG", 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, "self-hosted-v18.2.8-ee")
			tt.change(e)
			var log bytes.Buffer
			r := e.registry(tt.options, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			_, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), "")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v\nwant %s", err, tt.want)
			}
			if strings.Contains(fmt.Sprint(err)+log.String(), hidden) {
				t.Error("the secret is in the error or in the log")
			}
			if registry, tokens := e.requests(); registry != tt.registry || tokens != tt.tokens {
				t.Errorf("%d requests and %d token exchanges, want %d and %d:\n%s",
					registry, tokens, tt.registry, tt.tokens, strings.Join(e.log(), "\n"))
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*estate){
		"bearer": func(e *estate) { e.user, e.password = "alice", hidden },
		"basic":  func(e *estate) { e.user, e.password, e.basic = "alice", hidden, true },
		"a tired registry": func(e *estate) {
			var n atomic.Int64
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				switch n.Add(1) {
				case 1:
					panic(http.ErrAbortHandler) // the connection drops
				case 3:
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(http.StatusTooManyRequests)
					return true
				}
				return false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, "self-hosted-v18.2.8-ee")
			change(e)
			known := secret.NewRedactor()
			r := e.registry(login("alice", hidden), func(o *Options) { o.Redactor = known })
			if _, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), ""); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{hidden, "t:repository:" + path + ":pull"} {
				if known.String(want) != secret.Redacted && !(e.basic && want != hidden) {
					t.Errorf("not told to redact %q", want)
				}
			}
			// What was learnt is kept: no second exchange, no second 401.
			before, tokens := e.requests()
			if _, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), ""); err != nil {
				t.Fatal(err)
			}
			if after, again := e.requests(); after-before != 3 || again != tokens {
				t.Errorf("the second time %d requests and %d exchanges, want 3 and 0", after-before, again-tokens)
			}
		})
	}
}

func TestReadToken(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 10, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		body, value string
		lifetime    time.Duration
	}{
		{`{"token":"abc","access_token":"def","expires_in":900}`, "abc", 895 * time.Second},
		{`{"access_token":"def"}`, "def", 55 * time.Second},
		{`{"token":"abc","expires_in":1}`, "abc", 55 * time.Second},
		{`{"token":"abc","expires_in":1e300}`, "abc", 55 * time.Second},
		{`{"token":"abc","expires_in":-1}`, "abc", 55 * time.Second},
		{`{}`, "", 0},
		{`{"token":"a b"}`, "", 0},
		{`{"token":"a\r\nX-Evil: 1"}`, "", 0},
		{`{"token":"` + strings.Repeat("a", maxToken+1) + `"}`, "", 0},
		{`{"token":"` + strings.Repeat("a", maxTokenAnswer) + `"}`, "", 0},
		{`<html>`, "", 0},
		{``, "", 0},
	} {
		got, err := readToken(strings.NewReader(tt.body), now)
		if tt.value == "" {
			if err == nil {
				t.Errorf("%.40s: %+v, want an error", tt.body, got)
			}
			continue
		}
		if err != nil || got.value != tt.value || got.expires.Sub(now) != tt.lifetime {
			t.Errorf("%.40s: %+v, %v", tt.body, got, err)
		}
	}
}

func TestSessionAsksForANewTokenInTime(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.8-ee")
	r := e.registry()
	for range 2 {
		if _, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), ""); err != nil {
			t.Fatal(err)
		}
		s := r.session(r.repositories[0])
		s.expires = time.Now() // as if it had run out
	}
	if _, tokens := e.requests(); tokens != 2 {
		t.Errorf("%d token exchanges, want 2", tokens)
	}
}

// A token that the registry does not take any more is not exchanged for another:
// that would be one more failure on the way to a ban.
func TestRevokedTokenIsARefusal(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.8-ee")
	r := e.registry(login("alice", hidden))
	if _, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), ""); err != nil {
		t.Fatal(err)
	}
	e.before = func(w http.ResponseWriter, r *http.Request) bool {
		refuse401(w, `Bearer realm="`+e.server.URL+`/token"`)
		return true
	}
	before := len(e.log())
	_, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), "")
	if err == nil || !strings.Contains(err.Error(), `asked as user "alice"`) || len(e.log())-before != 1 {
		t.Errorf("error %v after %q", err, e.log()[before:])
	}
}

func env(pairs ...string) func(string) string {
	return func(key string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == key {
				return pairs[i+1]
			}
		}
		return ""
	}
}
