package gitlab

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/wire"
)

// gatewayStub is a gateway without a network.
type gatewayStub func(*http.Request) (*http.Response, error)

func (f gatewayStub) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func says(status int, body string) gatewayStub {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "X-Process-Time": {"0.1"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func post(h http.Handler, path, token, body string) *wire.Captured {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	return wire.Capture(h, r)
}

const (
	completionsPath = "/api/v4/code_suggestions/completions"
	directPath      = "/api/v4/code_suggestions/direct_access"
	question        = `{"current_file":{"file_name":"test.rb","content_above_cursor":"def hello"},"intent":"completion"}`
)

func TestWhoMayUseCodeSuggestions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, version, token string
		off                  Switch
		status               int
		body                 string
		monolith             bool
	}{
		{"a user with GitLab Duo", "", TokenAIFeatures, "", 200, `{"choices":[]}`, false},
		{"scope api", "", TokenAdmin, "", 200, `{"choices":[]}`, false},
		{"a user without", "", TokenNoDuo, "", 401, `{"message":"401 Unauthorized"}`, true},
		{"no licence", "", TokenAIFeatures, Licence, 401, `{"message":"401 Unauthorized"}`, true},
		{"switched off", "", TokenAIFeatures, CodeSuggestions, 404, `{"message":"404 Not Found"}`, true},
		{"nobody", "", "glpat-unknown", "", 401, `{"message":"401 Unauthorized"}`, false},
		{"a job", "", JobToken, "", 401, `{"message":"401 Unauthorized"}`, false},
		{"read_api", "", TokenReadAPI, "", 403, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api ai_features"}`, false},
		{"Community Edition", "18.2.1", TokenAIFeatures, "", 404, `{"error":"404 Not Found"}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{Version: tt.version, GatewayURL: "http://gateway.example.com", Gateway: says(200, `{"choices":[]}`)})
			s.Turn(tt.off, false)
			a := post(s, completionsPath, tt.token, question)
			if a.Status != tt.status || string(a.Body) != tt.body || (a.Header.Get("X-GitLab-Error-Origin") == "monolith") != tt.monolith {
				t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
			}
		})
	}
}

func TestWhatTheGatewayIsShown(t *testing.T) {
	t.Parallel()
	var seen *http.Request
	s := New(Options{URL: "https://gitlab.example.com", GatewayURL: "http://gateway.example.com/", Gateway: gatewayStub(func(r *http.Request) (*http.Response, error) {
		seen = r
		return says(200, `{"token":"t","expires_at":7}`)(r)
	})})
	s.SetClock(-2 * time.Hour)
	if a := post(s, directPath, TokenAIFeatures, "{}"); a.Status != 201 || !strings.Contains(string(a.Body), `"base_url":"http://gateway.example.com","expires_at":7,`) {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if seen.URL.String() != "http://gateway.example.com/v1/code/user_access_token" {
		t.Error(seen.URL)
	}
	for name, want := range map[string]string{
		"X-Gitlab-Authentication-Type": "oidc", "X-Gitlab-Realm": "self-managed", "X-Gitlab-Instance-Id": InstanceID, "X-Gitlab-Version": "18.2.1-ee",
	} {
		if got := seen.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	var claims struct {
		Aud, Sub, Iss, Realm string
		GitLabRealm          string `json:"gitlab_realm"`
		Iat, Nbf, Exp        int64
	}
	if err := s.verify(strings.TrimPrefix(seen.Header.Get("Authorization"), "Bearer "), &claims); err == nil || err.Error() != "expired" {
		t.Errorf("signed by a clock that is two hours late: %v", err)
	}
	s.SetClock(0)
	post(s, directPath, TokenAIFeatures, "{}")
	token := strings.TrimPrefix(seen.Header.Get("Authorization"), "Bearer ")
	if err := s.verify(token, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Aud != "gitlab-ai-gateway" || claims.Sub != InstanceID || claims.Iss != "https://gitlab.example.com" || claims.GitLabRealm != "self-managed" || claims.Exp-claims.Iat != 3600 || claims.Iat-claims.Nbf != 5 {
		t.Errorf("%+v", claims)
	}
	s.RotateKey()
	if s.verify(token, &claims) == nil {
		t.Error("the old key still counts")
	}
	post(s, directPath, TokenAIFeatures, "{}")
	if err := s.verify(strings.TrimPrefix(seen.Header.Get("Authorization"), "Bearer "), &claims); err != nil {
		t.Error(err)
	}
}

func TestWhatGitLabMakesOfItsGateway(t *testing.T) {
	t.Parallel()
	lost := gatewayStub(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
	for _, tt := range []struct {
		name, version, path string
		gateway             gatewayStub
		status              int
		body                string
		kind                string
	}{
		{"its answer is handed on", "", completionsPath, says(421, `{"detail":"404"}`), 421, `{"detail":"404"}`, "application/json"},
		{"nobody, for a completion", "", completionsPath, lost, 500, "Internal Server Error\n", "text/plain; charset=utf-8"},
		{"nobody, for a token", "", directPath, lost, 500, `{"message":"500 Internal Server Error"}`, "application/json"},
		{"no token", "18.9.0-ee", directPath, says(500, `{"detail":"Token creation failed"}`), 503, `{"message":"Token creation failed"}`, "application/json"},
		{"no token, 19.0", "19.0.1-ee", directPath, says(401, `{"error":"Forbidden by auth provider"}`), 401, `{"error":"Forbidden by auth provider","message":"Token creation failed"}`, "application/json"},
		{"an empty one", "", directPath, says(200, `{}`), 503, `{"message":"Token is missing in response"}`, "application/json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{Version: tt.version, GatewayURL: "http://gateway.example.com", Gateway: tt.gateway})
			a := post(s, tt.path, TokenAIFeatures, question)
			if a.Status != tt.status || string(a.Body) != tt.body || a.Header.Get("Content-Type") != tt.kind {
				t.Errorf("%d %q %v", a.Status, a.Body, a.Header)
			}
		})
	}
}

func TestUpgradeTo192EmptiesTheAddress(t *testing.T) {
	t.Parallel()
	s := New(Options{Version: "19.0.3-ee", GatewayURL: "http://gateway.example.com"})
	for _, step := range []struct{ version, want string }{
		{"19.1.0-ee", "http://gateway.example.com"}, {"19.2.0-ee", ""}, {"19.2.1-ee", "http://new.example.com"}, {"19.3.0-ee", "http://new.example.com"},
	} {
		if step.version == "19.2.1-ee" {
			s.SetGatewayURL("http://new.example.com/")
		}
		if s.SetVersion(step.version); s.GatewayURL() != step.want {
			t.Errorf("%s: %q", step.version, s.GatewayURL())
		}
	}
}

// ql asks in GraphQL and returns what is said.
func ql(s *Server, token, document string) string {
	body, err := json.Marshal(map[string]string{"query": document})
	if err != nil {
		panic(err)
	}
	return string(post(s, "/api/graphql", token, string(body)).Body)
}

func TestGraphQL(t *testing.T) {
	t.Parallel()
	const (
		url    = "query { duoSettings { aiGatewayUrl } aiSelfHostedModels(first: 1) { nodes { id } } }"
		status = "{ cloudConnectorStatus { success probeResults { name success } } }"
		denied = "that you are attempting to access does not exist or you don't have permission"
	)
	for _, tt := range []struct{ name, version, token, document, want string }{
		{"an administrator", "18.9.0-ee", TokenAdminRead, url, `{"correlationId":"lab","data":{"aiSelfHostedModels":{"nodes":[]},"duoSettings":{"aiGatewayUrl":"http://gateway.example.com"}}}`},
		{"somebody else", "18.9.0-ee", TokenReadAPI, url, `{"correlationId":"lab","data":{"aiSelfHostedModels":null,"duoSettings":{"aiGatewayUrl":null}}}`},
		{"another scope", "18.9.0-ee", TokenAIFeatures, url, `{"errors":[{"message":"Invalid token"}]}`},
		{"a job", "18.9.0-ee", JobToken, url, `{"errors":[{"message":"Invalid token"}]}`},
		{"before the setting", "17.8.0-ee", TokenAdmin, url, `"message":"Field 'duoSettings' doesn't exist on type 'Query'","path":["query","duoSettings"]`},
		{"a field of later", "18.3.0-ee", TokenAdmin, "{ duoSettings { aiGatewayUrl duoAgentPlatformServiceUrl } }", `"extensions":{"code":"undefinedField","fieldName":"duoAgentPlatformServiceUrl","typeName":"DuoSettings"}`},
		{"Community Edition", "18.9.0", TokenAdmin, status, `Field 'cloudConnectorStatus' doesn't exist on type 'Query'`},
		{"the health check", "18.9.0-ee", TokenAdmin, status, `{"name":"code_suggestions_license_probe","success":true}],"success":true}`},
		{"of somebody else", "18.9.0-ee", TokenReadAPI, status, denied},
		{"no selection", "18.9.0-ee", TokenAdmin, "{ duoSettings }", "Field must have selections (field 'duoSettings' returns DuoSettings"},
		{"selection of a value", "18.9.0-ee", TokenAdmin, "{ duoSettings { aiGatewayUrl { x } } }", "Selections can't be made on scalars"},
		{"not a document", "18.9.0-ee", TokenAdmin, "query { duoSettings { ", "Expected a name at [1, 23]"},
		{"a mutation", "18.9.0-ee", TokenAdmin, `mutation { duoSettingsUpdate(input: {aiGatewayUrl: "https://new.example.com/"}) { duoSettings { aiGatewayUrl } errors } }`, `{"duoSettingsUpdate":{"duoSettings":{"aiGatewayUrl":"https://new.example.com"},"errors":[]}}`},
		{"a mutation without the scope", "18.9.0-ee", TokenAdminRead, `mutation { duoSettingsUpdate(input: {aiGatewayUrl: "https://x.example.com"}) { errors } }`, denied},
		{"a mutation without the right", "18.9.0-ee", TokenAPI, `mutation { duoSettingsUpdate(input: {aiGatewayUrl: "https://x.example.com"}) { errors } }`, "You don't have permission to update the setting ai_gateway_url."},
		{"localhost", "18.9.0-ee", TokenAdmin, `mutation { duoSettingsUpdate(input: {aiGatewayUrl: "http://localhost"}) { errors } }`, `"errors":["Ai gateway url is blocked: Requests to localhost are not allowed"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{Version: tt.version, GatewayURL: "http://gateway.example.com", Gateway: says(401, `{}`)})
			if got := ql(s, tt.token, tt.document); !strings.Contains(got, tt.want) {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestGraphQLFieldThatFails(t *testing.T) {
	t.Parallel()
	s := New(Options{Version: "18.9.0-ee", GatewayURL: "http://gateway.example.com"})
	const document = "{ duoSettings { aiGatewayUrl } aiSelfHostedModels { nodes { id } } }"
	s.FailField("aiSelfHostedModels", "boom")
	if got := ql(s, TokenAdmin, document); !strings.Contains(got, `"aiSelfHostedModels":null,"duoSettings":{"aiGatewayUrl":"http`) || !strings.Contains(got, `"path":["aiSelfHostedModels"]`) {
		t.Error(got)
	}
	s.FailField("aiSelfHostedModels", "")
	if got := ql(s, TokenAdmin, document); strings.Contains(got, "errors") {
		t.Error(got)
	}
}

func TestTokenOfItself(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	for token, want := range map[string]string{
		TokenReadRepository: `"scopes":["read_repository"]`, TokenEnding: time.Now().UTC().Add(9*24*time.Hour + time.Hour).Format(time.DateOnly),
		TokenExpired: "Token is expired", JobToken: "401 Unauthorized", TokenGranular: `"granular"`,
	} {
		if got := string(ask(s, "GET", "/api/v4/personal_access_tokens/self", "PRIVATE-TOKEN", token).Body); !strings.Contains(got, want) {
			t.Errorf("%s: %s", token, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"{a}", `query Q { a(b: 1, c: {d: "x\"y"}) { e } }`, "mutation{x(input:{y:\"\\u0041\"}){z}}", "", "{", "{{{{{{{{{{{{{{{{{", `{a(b:"`, "{a(b:{c:{d:{}}})}", `{a(b:"\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parse(text)
		if err == nil {
			validate(o, schemaOf("18.9.0-ee"))
		}
	})
}
