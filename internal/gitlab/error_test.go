package gitlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/transport"
)

const (
	jsonType   = "application/json"
	deployPage = "<!DOCTYPE html>\n<html><head><title>Deploy in progress</title></head><body>\x1b[2Jsoon</body></html>"
)

// patient stands for as many requests as fit into the patience.
const patient = -1

func TestVersionAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		answer    http.HandlerFunc
		want      string // in the error's first line
		remedy    string // in its last
		requests  int
		temporary bool
	}{
		{"unknown token", answer(401, jsonType, `{"message":"401 Unauthorized"}`),
			"GET http://gitlab.example.com/api/v4/metadata: 401: GitLab does not accept the token (answered: 401 Unauthorized)", "scope read_api or read_user", 1, false},
		{"expired", answer(401, jsonType, `{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`),
			"401: the token has expired (answered: invalid_token: Token is expired.", "put a valid", 1, false},
		{"revoked", answer(401, jsonType, `{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`),
			"401: the token was revoked", "put a valid", 1, false},
		{"scope", answer(403, jsonType, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api read_user"}`),
			"403: the token lacks the scope", "scope read_api or read_user", 1, false},
		{"permission", answer(403, jsonType, `{"error":"insufficient_granular_scope"}`),
			"403: the token lacks a permission", "permission to read metadata", 1, false},
		{"terms", answer(403, jsonType, `{"message":"403 Forbidden - You must accept the Terms of Service"}`),
			"403: GitLab does not let the token's user in (answered: 403 Forbidden - You must accept", "sign in to GitLab as that user", 1, false},
		{"address", answer(403, jsonType, `{"message":"403 Forbidden"}`),
			"403: GitLab forbids it", "IP restrictions", 1, false},
		{"firewall", answer(403, "text/html", "<html>blocked</html>"),
			"403: answered a web page", "lets /api/ through", 1, true},
		{"no API", answer(404, jsonType, `{"error":"404 Not Found"}`),
			"/api/v4/version: 404: there is no GitLab API at this address", "check gitlab.url", 2, false},
		{"rate limit", answer(429, "text/plain", "Retry later\n", "Retry-After", "3600"),
			"429: GitLab's rate limit is used up, come back after 3600 seconds (answered: Retry later)", "run this later", 1, true},
		{"application's rate limit", answer(429, jsonType, `{"message":{"error":"This endpoint has been requested too many times. Try again later."}}`, "Retry-After", "600"),
			"(answered: This endpoint has been requested too many times. Try again later.)", "run this later", 1, true},
		{"fault", answer(500, jsonType, `{"message":"500 Internal Server Error"}`),
			"500: GitLab failed to answer", "exceptions_json.log", 4, true},
		{"booting", answer(502, "text/plain", "GitLab is not responding"),
			"502: GitLab is starting, or its application server is down", "wait until", patient, true},
		{"workhorse down", answer(502, "text/html", "<html><title>GitLab is not responding</title></html>"),
			"502: a web page instead of GitLab's answer: the web server in front is up", "wait until", patient, true},
		{"overloaded", answer(503, jsonType, `{"message":"503 Service Unavailable"}`),
			"503: GitLab is overloaded", "wait until", patient, true},
		{"maintenance", answer(503, jsonType, `{"message":"GitLab Maintenance: system is in maintenance mode"}`, "Retry-After", "900"),
			"503: GitLab is in maintenance mode, come back after 900 seconds", "when the maintenance is over", patient, true},
		{"slow", answer(504, "text/plain", ""),
			"504: GitLab did not answer the web server in front in time", "wait until", patient, true},
		{"deploy page", answer(200, "text/html", deployPage),
			"200: answered a web page (deploy page, SSO or proxy in front?) (answered: <!DOCTYPE html> <html><head><title>Deploy in progress</title></head><body> [2Jsoon", "lets /api/ through", patient, true},
		{"page without a type", answer(200, "", deployPage),
			"200: answered a web page", "lets /api/ through", patient, true},
		{"page called JSON", answer(200, jsonType, deployPage),
			"200: answered a web page", "lets /api/ through", patient, true},
		{"text", answer(200, "text/plain", "GitLab OK"),
			"200: the answer is text/plain, not JSON (answered: GitLab OK)", "lets /api/ through", 1, true},
		{"JSON as text", answer(200, "text/plain", `{"version":"18.2.1-ee"}`),
			"200: the answer is text/plain, not JSON", "lets /api/ through", 1, true},
		{"broken JSON", answer(200, jsonType, `{"version":"18.2.1-ee"`),
			"200: the answer is broken, not JSON", "lets /api/ through", 1, true},
		{"empty", answer(200, jsonType, ""),
			"200: the answer is empty, not JSON", "lets /api/ through", 1, true},
		{"another server's JSON", answer(200, jsonType, `{"status":"ok"}`),
			"200: the answer is JSON, but not GitLab's: ", "address of a GitLab instance", 1, true},
		{"array", answer(200, jsonType, `[]`),
			"the answer cannot be used: ", "address of a GitLab instance", 1, true},
		{"10 kB version", answer(200, jsonType, `{"version":"`+strings.Repeat("18.", 3500)+`"}`),
			"200: the answer is JSON, but not GitLab's: ", "address of a GitLab instance", 1, true},
		{"endless", answer(200, jsonType, strings.Repeat(" ", maxBody)+`{}`),
			"200: the answer is larger than 8 MiB", "lets /api/ through", 1, true},
		{"sign-in elsewhere", answer(302, "text/html", "", "Location", "https://sso.example.com/login?state=s3cr3t"),
			"302: sent on to https://sso.example.com/login, where the token does not go", "let /api/ past", 1, true},
		{"another port", answer(301, "text/html", "", "Location", "http://gitlab.example.com:8080/api/v4/metadata"),
			"301: sent on to http://gitlab.example.com:8080/api/v4/metadata, where the token does not go", "at which GitLab itself answers", 1, true},
		{"nowhere", answer(302, "text/html", "", "Location", "http://%zz"),
			"302: sent on to an address that cannot be read", "check gitlab.url", 1, true},
		{"round and round", answer(302, "text/html", "", "Location", "/api/v4/metadata"),
			"stopped after 10 redirects", "", 10, true},
		{"teapot that repeats the token", answer(418, "text/plain", token.Reveal()+strings.Repeat(" x", 250)),
			"418: an unexpected answer (answered: [redacted] x x", "check gitlab.url", 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				instance, network := serve(t, tt.answer)
				start := time.Now()
				_, err := client(t, network, nil).Version(t.Context())
				if err == nil {
					t.Fatal("no error")
				}
				first, last, _ := strings.Cut(err.Error(), "\n")
				if !strings.Contains(first, tt.want) || !strings.HasPrefix(first, "reading GitLab's version: GET http://gitlab.example.com/api/v4/") {
					t.Errorf("error\n %s\nwant\n %s", first, tt.want)
				}
				if !strings.Contains(last, tt.remedy) {
					t.Errorf("remedy %q, want %q", last, tt.remedy)
				}
				if len(first) > 700 || strings.ContainsAny(err.Error(), "\x1b") || strings.Contains(err.Error(), token.Reveal()) || strings.Contains(err.Error(), "s3cr3t") {
					t.Errorf("error not fit to print: %q", err)
				}
				var problem *Error
				if !errors.As(err, &problem) || problem.Temporary() != tt.temporary {
					t.Errorf("%#v: Temporary() is not %v", problem, tt.temporary)
				}
				if tt.requests == patient {
					if waited := time.Since(start); waited < patience-longestPause-time.Second || waited > patience || len(instance.paths) > 50 {
						t.Errorf("gave up after %v and %d requests", waited, len(instance.paths))
					}
				} else if len(instance.paths) != tt.requests {
					t.Errorf("%d requests, want %d", len(instance.paths), tt.requests)
				}
				for _, host := range instance.dialed {
					if host != "gitlab.example.com:80" {
						t.Errorf("connected to %s", host)
					}
				}
			})
		})
	}
}

func TestVersionComesThroughTrouble(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		trouble http.HandlerFunc
		waited  time.Duration // at least
	}{
		{"rate limit", answer(429, "text/plain", "Retry later", "Retry-After", "60"), time.Minute},
		{"booting", answer(502, "text/plain", "GitLab is not responding"), 250 * time.Millisecond},
		{"deploy page", answer(200, "text/html", deployPage), firstPause},
		{"maintenance", answer(503, jsonType, `{"message":"GitLab Maintenance: system is in maintenance mode"}`, "Retry-After", "900"), firstPause},
		{"dropped", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 250 * time.Millisecond},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", jsonType)
			w.Header().Set("Content-Length", "500")
			_, _ = fmt.Fprint(w, `{"version":`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 250 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				_, network := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if calls++; calls == 1 {
						tt.trouble(w, r)
						return
					}
					metadataOf("18.2.1-ee")(w, r)
				})
				start := time.Now()
				got, err := client(t, network, nil).Version(t.Context())
				if err != nil || got.Version != v1821 {
					t.Fatalf("version %v, error %v", got.Version, err)
				}
				if calls != 2 || time.Since(start) < tt.waited {
					t.Errorf("%d requests in %v, want 2 in %v at least", calls, time.Since(start), tt.waited)
				}
			})
		})
	}
}

func TestVersionFollowsWithinTheInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		instance, network := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v4/metadata" {
				http.Redirect(w, r, "/gitlab"+r.URL.Path, http.StatusMovedPermanently)
				return
			}
			metadataOf("18.2.1-ee")(w, r)
		})
		if _, err := client(t, network, nil).Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(instance.paths) != 2 {
			t.Errorf("asked %v", instance.paths)
		}
	})
}

func TestVersionDeadlineAndCancel(t *testing.T) {
	t.Parallel()
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	t.Run("a silent GitLab", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			_, network := serve(t, silent)
			start := time.Now()
			_, err := client(t, network, nil).Version(t.Context())
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer in time") || time.Since(start) > patience || time.Since(start) < patience-longestPause {
				t.Errorf("error %v after %v", err, time.Since(start))
			}
		})
	})
	t.Run("after it said that it restarts", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			network := roundTrip(func(r *http.Request) (*http.Response, error) {
				if time.Since(begin) < patience/2 {
					body := io.NopCloser(strings.NewReader("<html>GitLab is not responding</html>"))
					return &http.Response{StatusCode: 502, Header: http.Header{"Content-Type": {"text/html"}}, Body: body}, nil
				}
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			_, err := client(t, network, func(o *Options) { o.Patience = patience - 10*time.Second }).Version(t.Context())
			if e, ok := errors.AsType[*Error](err); !ok || e.Status != 502 {
				t.Errorf("error %v", err)
			}
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			_, network := serve(t, silent)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := client(t, network, nil).Version(ctx)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
	})
}

func TestVersionUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, tt := range []struct{ name, url, want, remedy string }{
		{"certificate", server.URL, "its certificate is not trusted from here", "ca_file"},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), "it does not speak TLS", "check the scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) { // not parallel: the servers close at the end
			network, err := transport.New(transport.Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client(t, network, func(o *Options) { o.URL = tt.url }).Version(t.Context())
			var problem *Error
			if !errors.As(err, &problem) || problem.Problem != tt.want || !strings.Contains(problem.Remedy, tt.remedy) || !problem.Temporary() {
				t.Errorf("error %v, want %q and %q", err, tt.want, tt.remedy)
			}
		})
	}
}
