package gitlab

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// What an instance says of itself to its gateway.
const (
	InstanceID = "7a1d0b52-0d1f-4c3a-9f6e-1ab1ab1ab1ab"
	realm      = "self-managed"
	userID     = "bGFiLXVzZXI=" // an opaque one, the same for everybody
)

const maxAnswer = 1 << 20 // bytes, of the gateway's

// suggestion lets in who may use Code Suggestions: an Enterprise Edition, a scope
// that fits, a user who has GitLab Duo.
// Source: gitlab-org/gitlab ee/lib/api/code_suggestions.rb.
func (s *Server) suggestion(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !enterprise(s.Version()) {
			answer(w, http.StatusNotFound, map[string]any{"error": "404 Not Found"})
			return
		}
		if refused := check(r, []string{"api", "ai_features"}); refused != nil {
			refused.write(w)
			return
		}
		switch {
		case !s.on(CodeSuggestions):
			monolith(w, http.StatusNotFound, map[string]any{"message": "404 Not Found"})
		case !tokens()[presented(r)].duo, !s.on(Licence):
			monolith(w, http.StatusUnauthorized, map[string]any{"message": "401 Unauthorized"})
		default:
			next(w, r)
		}
	}
}

func monolith(w http.ResponseWriter, status int, body any) {
	w.Header().Set("X-GitLab-Error-Origin", "monolith")
	answer(w, status, body)
}

// completions hands the question to the gateway, and its answer back, as Workhorse
// does. Source: gitlab-org/gitlab workhorse/internal/sendurl.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		File *struct {
			Name  string  `json:"file_name"`
			Above *string `json:"content_above_cursor"`
		} `json:"current_file"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(&asked) != nil || asked.File == nil || asked.File.Above == nil || asked.File.Name == "" {
		answer(w, http.StatusBadRequest, map[string]any{"error": "current_file is missing, current_file[file_name] is missing, current_file[content_above_cursor] is missing"})
		return
	}
	if !s.on(DefaultNamespace) {
		const words = "I'm sorry, you have not selected a default GitLab Duo namespace. Please go to GitLab and in user Preferences - Behavior, select a default namespace for GitLab Duo."
		answer(w, http.StatusUnprocessableEntity, map[string]any{
			"error": "missing_default_duo_group", "error_description": words, "message": map[string]string{"error": words},
		})
		return
	}
	body, err := json.Marshal(map[string]any{
		"prompt_version": 1, "telemetry": []any{},
		"current_file": map[string]string{
			"file_name": asked.File.Name, "content_above_cursor": *asked.File.Above, "content_below_cursor": "", "language_identifier": "ruby",
		},
	})
	if err != nil {
		panic(err) // texts
	}
	status, header, said, err := s.call(r, "/v2/code/completions", body, 55*time.Second)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	_, _ = w.Write(said)
}

// directAccess has the gateway make a token for the user.
// Source: gitlab-org/gitlab ee/lib/gitlab/llm/ai_gateway/code_suggestions_client.rb.
// Which release began to pass on the gateway's status is not public; here it is 19.0.
func (s *Server) directAccess(w http.ResponseWriter, r *http.Request) {
	if !s.on(DirectConnections) {
		answer(w, http.StatusForbidden, map[string]any{"message": "403 Forbidden - Direct connections are disabled"})
		return
	}
	status, _, said, err := s.call(r, "/v1/code/user_access_token", nil, 30*time.Second)
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"message": "500 Internal Server Error"})
		return
	}
	var token struct {
		Token   string `json:"token"`
		Expires int64  `json:"expires_at"`
	}
	_ = json.Unmarshal(said, &token)
	switch {
	case status >= 300:
		s.noToken(w, status, "Token creation failed", said)
	case token.Token == "":
		s.noToken(w, status, "Token is missing in response", said)
	default:
		base := s.GatewayURL()
		if !s.on(OwnModel) {
			base = "https://cloud.gitlab.com/ai"
		}
		answer(w, http.StatusCreated, map[string]any{
			"base_url": base, "token": token.Token, "expires_at": token.Expires,
			"headers": map[string]string{
				"X-Gitlab-Instance-Id": InstanceID, "X-Gitlab-Realm": realm, "X-Gitlab-Global-User-Id": userID,
				"X-Gitlab-Host-Name": r.Host, "X-Gitlab-Authentication-Type": "oidc",
			},
		})
	}
}

func (s *Server) noToken(w http.ResponseWriter, status int, message string, said []byte) {
	body := map[string]any{"message": message}
	if line(s.Version()).before(19, 0) || status < 400 {
		answer(w, http.StatusServiceUnavailable, body)
		return
	}
	var gateway struct{ Error, Detail string }
	_ = json.Unmarshal(said, &gateway)
	if gateway.Error != "" {
		body["error"] = gateway.Error
	}
	if gateway.Detail != "" {
		body["error_description"] = gateway.Detail
	}
	answer(w, status, body)
}

// call asks the gateway as GitLab does, with a token for the instance.
// Sources: gitlab-org/gitlab ee/lib/gitlab/ai_gateway.rb; ai-assist docs/auth.md.
func (s *Server) call(r *http.Request, path string, body []byte, patience time.Duration) (status int, header http.Header, said []byte, err error) {
	base := s.GatewayURL()
	if base == "" {
		base = "http://127.0.0.1:1" // GitLab's cloud, which nobody reaches from here
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	for name, value := range map[string]string{
		"Authorization":                "Bearer " + s.instanceToken(),
		"Content-Type":                 "application/json",
		"X-Gitlab-Authentication-Type": "oidc",
		"X-Gitlab-Realm":               realm,
		"X-Gitlab-Instance-Id":         InstanceID,
		"X-Gitlab-Global-User-Id":      userID,
		"X-Gitlab-Host-Name":           r.Host,
		"X-Gitlab-Version":             s.Version(),
		"X-Gitlab-Rails-Send-Start":    strconv.FormatFloat(float64(time.Now().UnixMilli())/1000, 'f', -1, 64),
	} {
		request.Header.Set(name, value)
	}
	response, err := s.gateway.RoundTrip(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	said, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, response.Header, said, err
}

// instanceToken is what GitLab shows its gateway. The issuer is in it only when the
// instance knows its one address, because a gateway may read the keys by another.
// Source: gitlab-org/gitlab ee/lib/gitlab/cloud_connector/self_issued_token.rb.
func (s *Server) instanceToken() string {
	s.mu.Lock()
	now := time.Now().Add(s.duo.clock)
	s.mu.Unlock()
	claims := map[string]any{
		"jti": "b1c2d3e4", "aud": "gitlab-ai-gateway", "sub": InstanceID,
		"iat": now.Unix(), "nbf": now.Add(-5 * time.Second).Unix(), "exp": now.Add(time.Hour).Unix(),
		"gitlab_realm": realm, "scopes": []string{"complete_code"},
	}
	if s.options.URL != "" {
		claims["iss"] = s.options.URL
	}
	return s.Sign(claims, time.Hour)
}
