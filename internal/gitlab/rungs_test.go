package gitlab

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/wire"
	"aigw-ci/internal/upgrade"
)

// rungCase is something that happens to an estate, and what one rung says of it.
type rungCase struct {
	name    string
	change  func(*estate)
	verdict upgrade.Verdict
	text    string // in the detail or the remedy
}

func (c rungCase) run(t *testing.T, rung string) {
	t.Run(c.name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			e := newEstate()
			start := time.Now()
			wantCheck(t, e.climb(t.Context(), t, c.change)[rung], c.verdict, c.text)
			if waited := time.Since(start); waited > longestPause {
				t.Errorf("waited %v for what does not pass", waited)
			}
		})
	})
}

func gatewaySays(status int, body string) func(*estate) {
	return func(e *estate) { e.gateway = says(status, jsonType, body) }
}

// gitlabSays puts another answer in the place of GitLab's own.
func gitlabSays(path string, status int, body string, header ...string) func(*estate) {
	return func(e *estate) {
		h := http.Header{"Content-Type": {jsonType}}
		for n := 0; n+1 < len(header); n += 2 {
			h.Set(header[n], header[n+1])
		}
		e.server.SetFaults(wire.Answer("scripted", status, h, body).On("POST", path))
	}
}

func turnOff(what gitlab.Switch) func(*estate) {
	return func(e *estate) { e.server.Turn(what, false) }
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	const path = "/completions"
	for _, c := range []rungCase{
		{"a model answers", nil, upgrade.Pass, "from the model codestral"},
		{"of no name", gatewaySays(200, `{"choices":[{"text":"x"}]}`), upgrade.Pass, "a completion came back"},
		{"no choice", gatewaySays(200, `{"choices":[]}`), upgrade.Warn, "completes nothing"},
		{"an empty choice", gatewaySays(200, `{"choices":[{"text":" \n"}]}`), upgrade.Warn, "completes nothing"},
		{"choices that are none", gatewaySays(200, `{"choices":7}`), upgrade.Inconclusive, "not a completion"},
		{"another program", gatewaySays(200, `{"status":"ok"}`), upgrade.Inconclusive, "not a completion"},
		{"the key is not accepted", gatewaySays(401, `{"error":"Forbidden by auth provider"}`), upgrade.Fail, "AIGW_GITLAB_URL is GitLab's external_url"},
		{"another instance", gatewaySays(401, `{"error":"Header mismatch 'X-Gitlab-Instance-Id'"}`), upgrade.Fail, "ask GitLab's support for a new activation code"},
		{"words without the header", gitlabSays(path, 401, `{"error":"No authorization header presented"}`), upgrade.Fail, "does not accept GitLab's key"},
		{"the gateway forbids it", gatewaySays(403, `{"detail":"Unauthorized to access code suggestions"}`), upgrade.Fail, "403: Unauthorized to access"},
		{"a path the gateway does not have", gatewaySays(404, `{"detail":"Not Found"}`), upgrade.Fail, "own minor release"},
		{"a body the gateway does not know", gatewaySays(422, `{"detail":[{"msg":"Field required"}]}`), upgrade.Fail, "422: Field required"},
		{"the model server fails", gatewaySays(421, `{"detail":"404"}`), upgrade.Fail, "the model server failed"},
		{"the model is throttled", gatewaySays(429, `{"detail":"Too many requests"}`), upgrade.Inconclusive, "rate limit"},
		{"the gateway fails", func(e *estate) { e.gateway = says(500, "text/plain", "Internal Server Error") }, upgrade.Fail, "read the gateway's log"},
		{"the gateway is overloaded", gatewaySays(503, `{"detail":"no worker"}`), upgrade.Fail, "the gateway failed: 503"},
		{"nobody is there", func(e *estate) { e.gateway = unreachableGateway }, upgrade.Fail, "GitLab got no answer from the gateway"},
		{"no GitLab Duo", func(e *estate) { e.token = gitlab.TokenNoDuo }, upgrade.Skip, "no GitLab Duo"},
		{"no GitLab Duo, demanded", func(e *estate) { e.token, e.ladder.Mode = gitlab.TokenNoDuo, Required }, upgrade.Fail, "seat"},
		{"switched off", turnOff(gitlab.CodeSuggestions), upgrade.Skip, "ai_duo_code_suggestions_switch"},
		{"no default namespace", turnOff(gitlab.DefaultNamespace), upgrade.Skip, "default GitLab Duo namespace in Preferences"},
		{"Community Edition", func(e *estate) { e.version = "18.9.1" }, upgrade.Skip, "has no Code Suggestions"},
		{"GitLab has an exception", gitlabSays(path, 500, `{"message":"500 Internal Server Error"}`), upgrade.Inconclusive, "GitLab failed to answer"},
		{"an address is restricted", gitlabSays(path, 403, `{"message":"403 Forbidden"}`), upgrade.Inconclusive, "IP restrictions"},
		{"a file that is too large", gitlabSays(path, 413, `{"message":"413 Request Entity Too Large"}`, "X-GitLab-Error-Origin", "monolith"), upgrade.Inconclusive, "413"},
	} {
		c.run(t, completionRung)
	}
}

func TestDirectAccess(t *testing.T) {
	t.Parallel()
	const path = "/direct_access"
	other := func(e *estate) { e.server.SetGatewayURL("http://old.example.com:5052") }
	for _, c := range []rungCase{
		{"a token", nil, upgrade.Pass, "GitLab reached http://gateway.example.com:5052"},
		{"another spelling", func(e *estate) { e.ladder.GatewayURL = "http://Gateway.example.com:5052/" }, upgrade.Pass, ""},
		{"nothing to compare with", func(e *estate) { e.ladder.GatewayURL = "" }, upgrade.Pass, "gateway.url is not set"},
		{"another gateway", other, upgrade.Fail, "GitLab uses the gateway at http://old.example.com:5052, and not"},
		{"another gateway, and this one is new", func(e *estate) { other(e); e.subject.Settled = false }, upgrade.Inconclusive, "not the gateway's doing, so it stays"},
		{"GitLab's cloud", turnOff(gitlab.OwnModel), upgrade.Warn, "GitLab's own cloud"},
		{"no keys", gatewaySays(500, `{"detail":"Token creation failed"}`), upgrade.Fail, "AIGW_SELF_SIGNED_JWT__SIGNING_KEY"},
		{"no keys, before 18.9", func(e *estate) { gatewaySays(500, `{"detail":"Token creation failed"}`)(e); e.version = "18.8.4-ee" }, upgrade.Warn, "completions through GitLab work without"},
		{"no keys, 19.x", func(e *estate) { gatewaySays(500, `{"detail":"Token creation failed"}`)(e); e.version = "19.1.0-ee" }, upgrade.Fail, "500: Token creation failed"},
		{"the key is not accepted", gatewaySays(401, `{"error":"Forbidden by auth provider"}`), upgrade.Fail, "AIGW_GITLAB_URL"},
		{"the key is not accepted, 19.x", func(e *estate) {
			gatewaySays(401, `{"error":"Forbidden by auth provider"}`)(e)
			e.version = "19.1.0-ee"
		}, upgrade.Fail, "does not accept GitLab's key"},
		{"the key is not accepted, and older", func(e *estate) {
			gatewaySays(401, `{"error":"Forbidden by auth provider"}`)(e)
			e.version = "18.2.0-ee"
		}, upgrade.Warn, "gave GitLab no token"},
		{"an answer without a token", gatewaySays(200, `{}`), upgrade.Fail, "Token is missing in response"},
		{"nobody is there", func(e *estate) { e.gateway = unreachableGateway }, upgrade.Inconclusive, "when it cannot reach the gateway: on GitLab's machine, try curl http://gateway.example.com:5052/monitoring/healthz"},
		{"GitLab has no token of its own", gitlabSays(path, 503, `{"message":"Missing instance token"}`), upgrade.Fail, "synchronize the subscription"},
		{"switched off", turnOff(gitlab.DirectConnections), upgrade.Skip, "direct connections are disabled"},
		{"switched off, demanded", func(e *estate) { turnOff(gitlab.DirectConnections)(e); e.ladder.Mode = Required }, upgrade.Skip, "direct connections are disabled"},
		{"no GitLab Duo", turnOff(gitlab.Licence), upgrade.Skip, "no GitLab Duo"},
		{"Community Edition", func(e *estate) { e.version = "18.9.1" }, upgrade.Skip, "has no Code Suggestions"},
		{"no address", gitlabSays(path, 201, `{"token":"`+userToken+`"}`), upgrade.Inconclusive, "names no gateway"},
	} {
		c.run(t, directRung)
	}
}

func TestSettingOfTheURL(t *testing.T) {
	t.Parallel()
	empty := func(e *estate) { e.server.SetGatewayURL("") }
	other := func(e *estate) { e.server.SetGatewayURL("http://old.example.com:5052") }
	repair := func(also ...func(*estate)) func(*estate) {
		return func(e *estate) {
			e.ladder.RepairURL = true
			for _, f := range also {
				f(e)
			}
		}
	}
	for _, c := range []rungCase{
		{"equal", nil, upgrade.Pass, "GitLab uses http://gateway.example.com:5052"},
		{"another spelling", func(e *estate) { e.ladder.GatewayURL = "HTTP://GATEWAY.example.com:5052/" }, upgrade.Pass, ""},
		{"another scheme", func(e *estate) { e.ladder.GatewayURL = "https://gateway.example.com:5052" }, upgrade.Fail, "and not https://"},
		{"another path", func(e *estate) { e.server.SetGatewayURL(gatewayURL + "/v1") }, upgrade.Fail, "GitLab uses http://gateway.example.com:5052/v1"},
		{"nothing to compare with", func(e *estate) { e.ladder.GatewayURL = "" }, upgrade.Skip, "gateway.url is not set"},
		{"another", other, upgrade.Fail, "verify.repair_url"},
		{"another, and the gateway is new", func(e *estate) { other(e); e.subject.Settled = false }, upgrade.Inconclusive, "so it stays"},
		{"unset", empty, upgrade.Fail, "is not set"},
		{"emptied by the upgrade", func(e *estate) { e.server.SetVersion("19.1.2-ee"); e.version = "19.2.0-ee" }, upgrade.Fail, "work item 606458"},
		{"no right to see it", func(e *estate) { e.token = gitlab.TokenReadAPI }, upgrade.Skip, "to an administrator"},
		{"no right to see it, and unset", func(e *estate) { empty(e); e.token = gitlab.TokenReadAPI }, upgrade.Skip, "to an administrator"},
		{"no add-on", turnOff(gitlab.Licence), upgrade.Skip, "add-on"},
		{"cannot be told apart", func(e *estate) { empty(e); e.server.FailField("aiSelfHostedModels", "Timeout on validation of query") }, upgrade.Inconclusive, "GitLab says: Timeout"},
		{"seen, and the rest fails", func(e *estate) { e.server.FailField("aiSelfHostedModels", "boom") }, upgrade.Pass, ""},
		{"the field fails", func(e *estate) { e.server.FailField("duoSettings", "Internal server error") }, upgrade.Inconclusive, "GitLab says: Internal server error"},
		{"before the setting", func(e *estate) { e.version = "17.8.1-ee" }, upgrade.Skip, "AI_GATEWAY_URL"},
		{"a release that is older than it was", func(e *estate) { e.subject.Release.Version = v1821; e.version = "17.8.1-ee" }, upgrade.Skip, "Community Edition?"},
		{"Community Edition", func(e *estate) { e.version = "18.9.1" }, upgrade.Skip, "Community Edition?"},
		{"repair of nothing", repair(), upgrade.Pass, ""},
		{"repair of an empty one", repair(empty), upgrade.Warn, "changed it from nothing to http://gateway.example.com:5052"},
		{"repair of another", repair(other), upgrade.Warn, "changed it from http://old.example.com:5052 to"},
		{"repair after the upgrade", repair(func(e *estate) { e.server.SetVersion("19.1.2-ee"); e.version = "19.2.0-ee" }), upgrade.Warn, "606458"},
		{"repair without the scope", repair(empty, func(e *estate) { e.token = gitlab.TokenAdminRead }), upgrade.Fail, "scope api"},
		{"repair with what GitLab refuses", repair(empty, func(e *estate) { e.ladder.GatewayURL = "http://localhost:5052" }), upgrade.Fail, "Requests to localhost are not allowed"},
		{"repair on what was put back", repair(other, func(e *estate) { e.subject.Stage = upgrade.Restored }), upgrade.Skip, "put back"},
	} {
		c.run(t, urlRung)
	}
}

// Nobody may change a setting that is right, that cannot be seen, or that nobody
// asked to be changed; and nobody twice.
func TestRepairIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change  func(*estate)
		fault   *wire.Fault // for the mutation
		want    int         // mutations
		verdict upgrade.Verdict
	}{
		"not asked for":      {func(e *estate) { e.server.SetGatewayURL("") }, nil, 0, upgrade.Fail},
		"right already":      {func(e *estate) { e.ladder.RepairURL = true }, nil, 0, upgrade.Pass},
		"cannot be seen":     {func(e *estate) { e.ladder.RepairURL, e.token = true, gitlab.TokenReadAPI; e.server.SetGatewayURL("") }, nil, 0, upgrade.Skip},
		"cannot be read":     {func(e *estate) { e.ladder.RepairURL = true; e.server.FailField("duoSettings", "boom") }, nil, 0, upgrade.Inconclusive},
		"wrong":              {func(e *estate) { e.ladder.RepairURL = true; e.server.SetGatewayURL("") }, nil, 1, upgrade.Warn},
		"done and not heard": {func(e *estate) { e.ladder.RepairURL = true; e.server.SetGatewayURL("") }, doneUnheard(), 1, upgrade.Warn},
		"lost":               {func(e *estate) { e.ladder.RepairURL = true; e.server.SetGatewayURL("") }, ref(wire.Dropped()), 1, upgrade.Inconclusive},
		"maintenance":        {func(e *estate) { e.ladder.RepairURL = true; e.server.SetGatewayURL("") }, ref(gitlab.Maintenance()), 1, upgrade.Inconclusive},
		"read-only":          {func(e *estate) { e.ladder.RepairURL = true; e.server.SetGatewayURL("") }, ref(gitlab.ReadOnly()), 1, upgrade.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEstate()
				sent := 0
				got := e.climb(t.Context(), t, func(e *estate) {
					e.server.SetFaults(wire.Fault{Name: "count", Path: "/api/graphql", Serve: func(next http.Handler) http.Handler {
						return mutations(next, func(next http.Handler) http.Handler {
							sent++
							if tt.fault != nil {
								return tt.fault.Serve(next)
							}
							return next
						})
					}})
					tt.change(e)
				})
				wantCheck(t, got[urlRung], tt.verdict, "")
				if sent != tt.want {
					t.Errorf("%d mutations, want %d", sent, tt.want)
				}
			})
		})
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	results := func(also ...gitlab.Probe) func(*estate) {
		return func(e *estate) { e.server.SetProbes(also...) }
	}
	present := gitlab.Probe{Name: "ai_gateway_url_presence_probe", Success: true}
	broken := func(name string) gitlab.Probe { return gitlab.Probe{Name: name, Message: "it is\x1b[2J broken"} }
	for _, c := range []rungCase{
		{"all pass", nil, upgrade.Pass, "host_probe, code_suggestions_license_probe: GitLab's own probes pass; they prove"},
		{"no address", func(e *estate) { e.server.SetGatewayURL("") }, upgrade.Fail, "ai_gateway_url_presence_probe fails"},
		{"nobody is there", func(e *estate) { e.gateway = unreachableGateway }, upgrade.Fail, "host_probe fails"},
		{"nobody is there, and it is new", func(e *estate) { e.gateway = unreachableGateway; e.subject.Settled = false }, upgrade.Fail, "host_probe fails"},
		{"no licence", results(present, broken("code_suggestions_license_probe")), upgrade.Fail, "licence and the GitLab Duo add-on"},
		{"no licence, and it is new", func(e *estate) {
			results(present, broken("code_suggestions_license_probe"))(e)
			e.subject.Settled = false
		}, upgrade.Inconclusive, "so it stays"},
		{"one of several hosts", results(present, broken("host_probe"), gitlab.Probe{Name: "host_probe", Success: true}), upgrade.Warn, "host_probe fails: it is [2J broken"},
		{"a host of the cloud", results(broken("host_probe")), upgrade.Warn, "host_probe fails"},
		{"the end-to-end probe", results(present, broken("end_to_end_probe")), upgrade.Warn, "end_to_end_probe fails"},
		{"the token probe", results(present, broken("token_probe"), broken("access_probe")), upgrade.Warn, "access_probe fails"},
		{"one of the future", results(present, broken("compatible_runner_probe")), upgrade.Warn, "compatible_runner_probe fails"},
		{"the worst decides", results(broken("end_to_end_probe"), present, broken("host_probe")), upgrade.Fail, "end_to_end_probe fails"},
		{"none", results([]gitlab.Probe{}...), upgrade.Inconclusive, "says nothing"},
		{"not an administrator", func(e *estate) { e.token = gitlab.TokenReadAPI }, upgrade.Skip, "personal access token of an administrator"},
		{"not an administrator, demanded", func(e *estate) { e.token, e.ladder.Mode = gitlab.TokenReadAPI, Required }, upgrade.Fail, "or set verify.gitlab to auto"},
		{"it fails", func(e *estate) { e.server.FailField("cloudConnectorStatus", "Internal server error") }, upgrade.Inconclusive, "GitLab says: Internal server error"},
		{"empty", gitlabSays("/graphql", 200, `{"data":{"cloudConnectorStatus":{"probeResults":[]}}}`), upgrade.Inconclusive, "says nothing"},
		{"nulls", gitlabSays("/graphql", 200, `{"data":{"cloudConnectorStatus":{"probeResults":[null,{"name":null}]}}}`), upgrade.Warn, "without a result"},
		{"another server", gitlabSays("/graphql", 200, `{"status":"ok"}`), upgrade.Inconclusive, "not GitLab's"},
		{"another shape", gitlabSays("/graphql", 200, `{"data":{"cloudConnectorStatus":7}}`), upgrade.Inconclusive, "not GitLab's"},
		{"before the health check", func(e *estate) { e.version = "17.2.9-ee" }, upgrade.Skip, "came with 17.3"},
		{"Community Edition", func(e *estate) { e.version = "18.9.1-ce" }, upgrade.Skip, "Community Edition?"},
	} {
		c.run(t, probesRung)
	}
}

// mutations serves mutations with another handler.
func mutations(next http.Handler, other func(http.Handler) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Query string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		again, err := json.Marshal(map[string]string{"query": body.Query})
		if err != nil {
			panic(err)
		}
		r.Body = readCloser{strings.NewReader(string(again))}
		if strings.HasPrefix(body.Query, "mutation") {
			other(next).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// doneUnheard does what it is asked and drops the answer.
func doneUnheard() *wire.Fault {
	return &wire.Fault{Serve: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = wire.Capture(next, r)
			panic(http.ErrAbortHandler)
		})
	}}
}

func ref(f wire.Fault) *wire.Fault { return &f }

func TestSameAddress(t *testing.T) {
	t.Parallel()
	const a = "https://aigw.example.com"
	for b, want := range map[string]bool{
		a: true, a + "/": true, a + ":443": true, "HTTPS://AIGW.example.com:443//": true, a + ".": true,
		"http://aigw.example.com": false, a + ":8443": false, a + "/v1": false, a + "/?x=1": false,
		"https://other.example.com": false, "aigw.example.com": false, "": false, "https://%zz": false,
	} {
		if got := sameAddress(a, b); got != want || sameAddress(b, a) != want {
			t.Errorf("%q: %v", b, got)
		}
	}
	if sameAddress("", "") {
		t.Error("two empty addresses are one")
	}
}
