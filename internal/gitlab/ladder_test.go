package gitlab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/wire"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

const (
	gatewayURL = "http://gateway.example.com:5052"
	userToken  = "canary-user-token-7d1f" // what a gateway gives GitLab for a user
)

// roundTrip is a gateway without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// says is a gateway that always answers the same, with a header that all of its
// answers have.
func says(status int, media, body string) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {media}, "X-Process-Time": {"0.1"}},
			Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// works is a gateway with a model and keys.
func works(r *http.Request) (*http.Response, error) {
	switch {
	case r.Method == http.MethodHead:
		return says(401, jsonType, "")(r)
	case r.URL.Path == "/v1/code/user_access_token":
		return says(200, jsonType, `{"token":"`+userToken+`","expires_at":2000000000}`)(r)
	}
	return says(200, jsonType, `{"id":"id","model":{"name":"codestral"},"choices":[{"text":"\n puts 1","index":0}]}`)(r)
}

// estate is a GitLab that uses a gateway, and a ladder against it.
type estate struct {
	server *gitlab.Server
	log    bytes.Buffer

	version string // GitLab's; "" is 18.9.1-ee
	token   secret.Value
	gateway roundTrip
	ladder  Ladder
	subject upgrade.Subject
}

func newEstate() *estate {
	return &estate{
		version: "18.9.1-ee", token: gitlab.TokenAdmin, gateway: works,
		ladder:  Ladder{Mode: Auto, GatewayURL: gatewayURL},
		subject: upgrade.Subject{Stage: upgrade.Live, Settled: true},
	}
}

// climb starts the estate, changes it, and makes every check.
func (e *estate) climb(ctx context.Context, t *testing.T, change func(*estate)) map[string]upgrade.Check {
	t.Helper()
	e.server = gitlab.New(gitlab.Options{Version: e.version, GatewayURL: gatewayURL, Gateway: roundTrip(func(r *http.Request) (*http.Response, error) { return e.gateway(r) })})
	if change != nil {
		change(e)
	}
	e.server.SetVersion(e.version)
	if e.subject.Release.Version.Major == 0 {
		v, err := version.ParseGitLab(e.version)
		if err != nil {
			t.Fatal(err)
		}
		e.subject.Release.Version = v
	}
	_, network := serve(t, e.server.ServeHTTP)
	c := client(t, network, func(o *Options) {
		o.Token, o.Log = e.token, slog.New(slog.NewTextHandler(&e.log, nil))
	})
	by := map[string]upgrade.Check{}
	var order []string
	for _, probe := range c.Ladder(e.ladder) {
		check := probe(ctx, e.subject)
		by[check.ID] = check
		order = append(order, check.ID)
		e.hold(t, check)
	}
	if got := strings.Join(order, " "); got != "gitlab.url gitlab.probes gitlab.direct_access gitlab.completion" {
		t.Errorf("rungs are %s", got)
	}
	e.quiet(t, e.log.String())
	return by
}

// hold holds a check to what all of them promise.
func (e *estate) hold(t *testing.T, c upgrade.Check) {
	t.Helper()
	if c.Stage != e.subject.Stage || c.Verdict == "" || c.Detail == "" || strings.ContainsAny(c.Detail+c.Remedy, "\n\r\x1b") || len(c.Detail) > 1000 {
		t.Errorf("not a check: %+v", c)
	}
	if c.Remedy == "" && c.Verdict != upgrade.Pass && c.Verdict != upgrade.Skip {
		t.Errorf("%s: %s without a remedy: %s", c.ID, c.Verdict, c.Detail)
	}
	e.quiet(t, c.Detail+c.Remedy)
}

// quiet fails when a text holds a secret.
func (e *estate) quiet(t *testing.T, text string) {
	t.Helper()
	for _, s := range []string{userToken, gitlab.ProbeSecret, e.token.Reveal()} {
		if s != "" && strings.Contains(text, s) {
			t.Errorf("%q is in %s", s, text)
		}
	}
}

func wantCheck(t *testing.T, got upgrade.Check, verdict upgrade.Verdict, text string) {
	t.Helper()
	if got.Verdict != verdict || !strings.Contains(got.Detail+" | "+got.Remedy, text) {
		t.Errorf("%s is %s: %s | %s\nwant %s with %q", got.ID, got.Verdict, got.Detail, got.Remedy, verdict, text)
	}
}

const (
	urlRung        = "gitlab.url"
	probesRung     = "gitlab.probes"
	directRung     = "gitlab.direct_access"
	completionRung = "gitlab.completion"
)

var rungs = []string{urlRung, probesRung, directRung, completionRung}

// Every rung with every credential: one line each, in the order of rungs.
func TestLadderByCredential(t *testing.T) {
	t.Parallel()
	const (
		p, s, f, i = upgrade.Pass, upgrade.Skip, upgrade.Fail, upgrade.Inconclusive
	)
	for _, tt := range []struct {
		name     string
		token    secret.Value
		auto     [4]upgrade.Verdict
		required [4]upgrade.Verdict
	}{
		{"none", "", [4]upgrade.Verdict{s, s, s, s}, [4]upgrade.Verdict{f, f, f, f}},
		{"an administrator's", gitlab.TokenAdmin, [4]upgrade.Verdict{p, p, p, p}, [4]upgrade.Verdict{p, p, p, p}},
		{"an administrator's, fine-grained", gitlab.TokenGranular, [4]upgrade.Verdict{p, p, p, p}, [4]upgrade.Verdict{p, p, p, p}},
		{"an administrator's, read_api", gitlab.TokenAdminRead, [4]upgrade.Verdict{p, p, s, s}, [4]upgrade.Verdict{p, p, f, f}},
		{"ai_features", gitlab.TokenAIFeatures, [4]upgrade.Verdict{s, s, p, p}, [4]upgrade.Verdict{f, f, p, p}},
		{"ai_features without GitLab Duo", gitlab.TokenNoDuo, [4]upgrade.Verdict{s, s, s, s}, [4]upgrade.Verdict{f, f, f, f}},
		{"read_api", gitlab.TokenReadAPI, [4]upgrade.Verdict{s, s, s, s}, [4]upgrade.Verdict{f, f, f, f}},
		{"read_user", gitlab.TokenReadUser, [4]upgrade.Verdict{s, s, s, s}, [4]upgrade.Verdict{f, f, f, f}},
		{"a project's", gitlab.TokenAPI, [4]upgrade.Verdict{s, s, s, s}, [4]upgrade.Verdict{f, f, f, f}},
		{"a job's", gitlab.JobToken, [4]upgrade.Verdict{i, i, i, i}, [4]upgrade.Verdict{f, f, f, f}},
		{"expired", gitlab.TokenExpired, [4]upgrade.Verdict{i, i, i, i}, [4]upgrade.Verdict{f, f, f, f}},
		{"revoked", gitlab.TokenRevoked, [4]upgrade.Verdict{i, i, i, i}, [4]upgrade.Verdict{f, f, f, f}},
		{"of a blocked user", gitlab.TokenBlocked, [4]upgrade.Verdict{i, i, i, i}, [4]upgrade.Verdict{f, f, f, f}},
	} {
		for mode, want := range map[Mode][4]upgrade.Verdict{Auto: tt.auto, Required: tt.required, Off: {s, s, s, s}, "": tt.auto} {
			t.Run(tt.name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := newEstate()
					e.token, e.ladder.Mode = tt.token, mode
					got := e.climb(t.Context(), t, nil)
					for n, id := range rungs {
						wantCheck(t, got[id], want[n], "")
					}
					if mode == Off && len(e.server.Log().Entries()) > 0 {
						t.Error("GitLab was asked")
					}
				})
			})
		}
	}
}

func TestLadderByStage(t *testing.T) {
	t.Parallel()
	const (
		p, s, f = upgrade.Pass, upgrade.Skip, upgrade.Fail
	)
	for name, tt := range map[string]struct {
		stage upgrade.Stage
		mode  Mode
		token secret.Value
		want  [4]upgrade.Verdict
	}{
		"rehearsal":                      {upgrade.Rehearsal, Auto, gitlab.TokenAdmin, [4]upgrade.Verdict{s, s, s, s}},
		"rehearsal, demanded":            {upgrade.Rehearsal, Required, gitlab.TokenAdmin, [4]upgrade.Verdict{s, s, s, s}},
		"rehearsal, demanded in vain":    {upgrade.Rehearsal, Required, gitlab.TokenReadUser, [4]upgrade.Verdict{f, f, f, f}},
		"rehearsal, demanded of nothing": {upgrade.Rehearsal, Required, "", [4]upgrade.Verdict{f, f, f, f}},
		"put back":                       {upgrade.Restored, Auto, gitlab.TokenAdmin, [4]upgrade.Verdict{s, s, p, p}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEstate()
				e.subject.Stage, e.ladder.Mode, e.token = tt.stage, tt.mode, tt.token
				got := e.climb(t.Context(), t, nil)
				for n, id := range rungs {
					wantCheck(t, got[id], tt.want[n], "")
				}
				if tt.stage == upgrade.Rehearsal && e.server.Log().Count("POST", "") > 0 {
					t.Error("something was sent about a gateway that GitLab does not know")
				}
			})
		})
	}
}

// The third verdict: GitLab is not there, and that is nobody's failure.
func TestLadderWithoutGitLab(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault wire.Fault
		text  string
	}{
		"restarting":  {gitlab.BadGateway(), "502: GitLab is starting"},
		"maintenance": {gitlab.Maintenance(), "503: GitLab is in maintenance mode"},
		"deploy page": {gitlab.DeployPage(), "answered a web page"},
		"sign-in":     {gitlab.SignIn(), "answered a web page"},
		"overloaded":  {gitlab.Overloaded(time.Second), "503: GitLab is overloaded"},
		"rate limit":  {gitlab.RackAttack(time.Hour), "rate limit is used up"},
		"fault":       {gitlab.InternalError(), "500: GitLab failed to answer"},
		"dropped":     {wire.Dropped(), "no answer"},
		"hanging":     {hanging(), "no answer in time"},
		"cut off":     {wire.Truncated(), ""},
		"elsewhere":   {wire.Redirect("elsewhere", "http://elsewhere.example.com"), "sent on to http://elsewhere.example.com"},
		"endless":     {wire.Endless(jsonType, `{"token":"`+userToken), "larger than 8 MiB"},
	} {
		for _, mode := range []Mode{Auto, Required} {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					e := newEstate()
					e.ladder.Mode = mode
					start := time.Now()
					got := e.climb(t.Context(), t, func(e *estate) { e.server.SetFaults(tt.fault) })
					for _, id := range rungs {
						wantCheck(t, got[id], upgrade.Inconclusive, tt.text)
					}
					if waited := time.Since(start); waited > patience+4*lastAttempt {
						t.Errorf("waited %v in all", waited)
					}
				})
			})
		}
	}
}

func TestLadderWaitsForGitLab(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]wire.Fault{
		"restarting": gitlab.BadGateway(), "maintenance": gitlab.Maintenance(), "deploy page": gitlab.DeployPage(),
		"rate limit": gitlab.RateLimit(20 * time.Second), "dropped": wire.Dropped(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEstate()
				got := e.climb(t.Context(), t, func(e *estate) { e.server.SetFaults(fault.On("POST", "").For(2)) })
				for _, id := range rungs {
					wantCheck(t, got[id], upgrade.Pass, "")
				}
				if !strings.Contains(e.log.String(), "waiting for it") {
					t.Errorf("nobody was told: %s", e.log.String())
				}
			})
		})
	}
}

func TestLadderEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		e := newEstate()
		start := time.Now()
		got := e.climb(ctx, t, func(e *estate) { e.server.SetFaults(gitlab.BadGateway()) })
		for _, id := range rungs {
			wantCheck(t, got[id], upgrade.Inconclusive, "")
		}
		if waited := time.Since(start); waited > 3*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestTokenThatEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEstate()
		e.token = gitlab.TokenEnding
		got := e.climb(t.Context(), t, nil)
		wantCheck(t, got[completionRung], upgrade.Pass, "gitlab.token expires on 2000-01-10, in 9 days: renew it")
		if n := e.server.Log().Count("GET", "/api/v4/personal_access_tokens/self"); n != 1 {
			t.Errorf("the token was asked %d times", n)
		}
	})
}

// A 201 whose body cannot be used may still hold the token.
func TestTokenOfAUserIsNeverShown(t *testing.T) {
	t.Parallel()
	for name, answered := range map[string]http.HandlerFunc{
		"as text":        answer(201, "text/plain", `{"token":"`+userToken+`"}`),
		"broken":         answer(201, jsonType, `{"base_url":"http://a.example.com","token":"`+userToken+`"`),
		"as a page":      answer(200, "text/html", `<html>`+userToken),
		"in place of it": answer(201, jsonType, `{"base_url":{"token":"`+userToken+`"},"token":1}`),
		"a list":         answer(201, jsonType, `["`+userToken+`"]`),
		"in plain error": answer(500, "text/plain", userToken),
		"in an error":    answer(500, jsonType, `{"error":5,"token":"`+userToken+`"}`),
		"in a message":   answer(503, jsonType, `{"message":{"token":"`+userToken+`"},"errors":{"x":"`+userToken+`"}}`),
		"no token":       answer(201, jsonType, `{"base_url":"`+gatewayURL+`","token":"","headers":{"x":"`+userToken+`"}}`),
		"in the address": answer(201, jsonType, `{"base_url":"http://`+userToken+`@gateway.example.com:5052/?t=`+userToken+`","token":"`+userToken+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, network := serve(t, answered)
				var log bytes.Buffer
				c := client(t, network, func(o *Options) {
					o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
				got := c.Ladder(Ladder{GatewayURL: gatewayURL})[2](t.Context(), upgrade.Subject{Stage: upgrade.Live, Settled: true})
				if strings.Contains(got.Detail+got.Remedy+log.String(), userToken) {
					t.Errorf("shown: %+v\n%s", got, log.String())
				}
				if got.Verdict == upgrade.Fail && name != "in the address" {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

var errRefused = errors.New("connect: connection refused")

func unreachableGateway(*http.Request) (*http.Response, error) { return nil, errRefused }

// hanging reads a request and never answers it. Only who has read all of a request
// sees that its sender is gone.
func hanging() wire.Fault {
	return wire.Fault{Name: "hanging", Serve: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		})
	}}
}
