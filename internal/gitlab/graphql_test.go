package gitlab

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// documents is a GraphQL server that keeps what it was asked and answers in order;
// the last answer is repeated.
func documents(asked *[]string, answers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/graphql" {
			answer(404, jsonType, `{"error":"404 Not Found"}`)(w, r)
			return
		}
		var body struct{ Query string }
		if json.NewDecoder(r.Body).Decode(&body) != nil || r.Header.Get("Authorization") != "Bearer "+token.Reveal() || r.Header.Get("Content-Type") != jsonType {
			answer(401, jsonType, `{"errors":[{"message":"Invalid token"}]}`)(w, r)
			return
		}
		*asked = append(*asked, body.Query)
		answer(200, jsonType, answers[min(len(*asked), len(answers))-1])(w, r)
	}
}

const undefinedC = `{"errors":[{"message":"Field 'c' doesn't exist on type 'T'","path":["query","a","c"],"extensions":{"code":"undefinedField","typeName":"T","fieldName":"c"}}]}`

func TestOneUnknownFieldLosesNothingElse(t *testing.T) {
	t.Parallel()
	v := func(major, minor int) version.Line { return version.Line{Major: major, Minor: minor} }
	fields := []field{
		{name: "a", args: "(first: 1)", of: []field{{name: "b"}, {name: "c"}}},
		{name: "d", since: v(18, 4), of: []field{{name: "e"}}},
	}
	const data = `{"data":{"a":{"b":"1","c":"2"},"d":{"e":"3"}}}`
	for _, tt := range []struct {
		name    string
		line    version.Line
		answers []string
		asked   []string
		unknown []string
		words   string
	}{
		{"all", v(18, 4), []string{data}, []string{"query { a(first: 1) { b c } d { e } }"}, nil, ""},
		{"of a version that is not known", v(0, 0), []string{data}, []string{"query { a(first: 1) { b c } d { e } }"}, nil, ""},
		{"of an older one", v(18, 3), []string{data}, []string{"query { a(first: 1) { b c } }"}, []string{"d"}, ""},
		{"one is unknown", v(18, 4), []string{undefinedC, data}, []string{"query { a(first: 1) { b c } d { e } }", "query { a(first: 1) { b } d { e } }"}, []string{"c"}, ""},
		{"told in words alone", v(18, 3), []string{`{"errors":[{"message":"Field 'c' doesn't exist on type 'T'"}]}`, data}, []string{"query { a(first: 1) { b c } }", "query { a(first: 1) { b } }"}, []string{"d", "c"}, ""},
		{"two at once, and their parent", v(18, 3), []string{`{"errors":[{"message":"Field 'b' doesn't exist on type 'T'"},{"message":"Field 'c' doesn't exist on type 'T'"}]}`}, []string{"query { a(first: 1) { b c } }"}, []string{"d", "b", "c", "a"}, ""},
		{"one that was never asked for", v(18, 3), []string{`{"data":null,"errors":[{"message":"Field 'z' doesn't exist on type 'T'"}]}`}, []string{"query { a(first: 1) { b c } }"}, []string{"d"}, "Field 'z' doesn't exist on type 'T'"},
		{"a remark beside the data", v(18, 3), []string{`{"data":{"a":{"b":"1"}},"errors":[{"message":"boom\u001b[2J ` + token.Reveal() + `","path":["a"]}]}`}, []string{"query { a(first: 1) { b c } }"}, []string{"d"}, "boom [2J [redacted]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var asked []string
				_, network := serve(t, documents(&asked, tt.answers...))
				l := &ladder{Client: client(t, network, nil)}
				var got struct{ A *struct{ B string } }
				unknown, problems, err := l.graphQL(t.Context(), tt.line, fields, &got)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.asked, asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.unknown, unknown); diff != "" {
					t.Errorf("unknown (-want +got):\n%s", diff)
				}
				if words := l.remarks(problems); words != tt.words {
					t.Errorf("words %q, want %q", words, tt.words)
				}
				if slices.Contains(tt.answers, data) && (got.A == nil || got.A.B != "1") {
					t.Errorf("data %+v", got)
				}
			})
		})
	}
}

// The details of probes and the keys of models are secrets, which are best kept by
// those who never had them.
func TestNoSecretIsAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		_, network := serve(t, documents(&asked, `{"data":{}}`))
		for _, probe := range client(t, network, nil).Ladder(Ladder{GatewayURL: gatewayURL})[:2] {
			probe(t.Context(), aSubject)
		}
		want := []string{
			"query { duoSettings { aiGatewayUrl duoAgentPlatformServiceUrl } aiSelfHostedModels(first: 1) { nodes { id } } }",
			"query { cloudConnectorStatus { probeResults { name success message } } }",
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	})
}

// scripted is a GitLab that gives every POST one answer, without a network.
func scripted(t testing.TB, status int, body string) *ladder {
	o := Options{URL: "http://gitlab.example.com", Token: token, Patience: firstPause / 2}
	o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			return says(status, jsonType, body)(r)
		}
		return says(404, jsonType, `{}`)(r)
	})
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &ladder{Client: c, o: Ladder{GatewayURL: gatewayURL}}
}

var aSubject = upgrade.Subject{
	Stage: upgrade.Live, Settled: true,
	Release: upgrade.Release{Version: version.GitLab{Major: 18, Minor: 9}},
}

// fit fails when a finding cannot be printed.
func fit(t *testing.T, f finding) {
	t.Helper()
	if text := f.detail + f.remedy; f.detail == "" || len(text) > 3000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 }) {
		t.Errorf("not fit to print: %q", text)
	}
}

func FuzzGraphQL(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"duoSettings":{"aiGatewayUrl":"http://gateway.example.com:5052"},"aiSelfHostedModels":{"nodes":[]}}}`,
		`{"data":{"duoSettings":{"aiGatewayUrl":null},"aiSelfHostedModels":null}}`,
		`{"data":{"cloudConnectorStatus":{"probeResults":[{"name":"host_probe","success":false,"message":"x"},null,{}]}}}`,
		`{"data":{"cloudConnectorStatus":null},"errors":[{"message":"The resource that you are attempting to access does not exist or you don't have permission to perform this action","path":["cloudConnectorStatus"]}]}`,
		`{"errors":[{"message":"Field 'aiGatewayUrl' doesn't exist on type 'DuoSettings'","path":["query",1,null,{}]}]}`,
		`{"errors":[{"message":"Field 'nodes' doesn't exist on type 'X'"}],"data":[]}`,
		`{"errors":null,"data":null}`, `{"errors":{}}`, `[]`, `null`, `{`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fit(t, scripted(t, 200, body).url(t.Context(), aSubject))
		fit(t, scripted(t, 200, body).probes(t.Context(), aSubject))
	})
}

func FuzzSuggestions(f *testing.F) {
	for _, seed := range []struct {
		status int
		body   string
	}{
		{200, `{"model":{"name":"m"},"choices":[{"text":"x"}]}`}, {200, `{"choices":[]}`}, {200, `{"choices":null}`},
		{201, `{"base_url":"http://gateway.example.com:5052","token":"` + userToken + `","expires_at":1}`},
		{201, `{"base_url":"http://a.example.com","token":["` + userToken + `"]}`}, {201, `{"token":"` + userToken + `"`},
		{503, `{"message":"Token creation failed"}`}, {401, `{"error":"Forbidden by auth provider"}`},
		{422, `{"error":"missing_default_duo_group","message":{"error":"x"}}`}, {421, `{"detail":"404"}`}, {500, ``},
	} {
		f.Add(seed.status, seed.body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		direct := scripted(t, status, body).directAccess(t.Context(), aSubject)
		fit(t, direct)
		var a struct {
			Base string `json:"base_url"`
		}
		_ = json.Unmarshal([]byte(body), &a)
		if status < 300 && !strings.Contains(a.Base, userToken) && strings.Contains(direct.detail, userToken) {
			t.Errorf("the token is in %s", direct.detail)
		}
		fit(t, scripted(t, status, body).completion(t.Context(), aSubject))
	})
}
