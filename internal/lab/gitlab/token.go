package gitlab

import (
	"net/http"
	"slices"
	"strings"
)

// Tokens that every stand-in instance knows. They are no secrets.
const (
	TokenAPI            = "glpat-lab-api"
	TokenReadAPI        = "glpat-lab-read-api"
	TokenReadUser       = "glpat-lab-read-user"
	TokenAIFeatures     = "glpat-lab-ai-features"
	TokenReadRepository = "glpat-lab-read-repo" // too narrow a scope for the version
	TokenExpired        = "glpat-lab-expired"
	TokenRevoked        = "glpat-lab-revoked"
	TokenBlocked        = "glpat-lab-blocked" // of a user who was blocked

	// JobToken is a CI_JOB_TOKEN: it opens the registry, reads comments, and no more.
	JobToken = "glcbt-lab-job"
)

// token is what the instance knows of a personal, project or group access token.
type token struct {
	scope   string
	refusal *refusal
}

func tokens() map[string]token {
	return map[string]token{
		TokenAPI:            {scope: "api"},
		TokenReadAPI:        {scope: "read_api"},
		TokenReadUser:       {scope: "read_user"},
		TokenAIFeatures:     {scope: "ai_features"},
		TokenReadRepository: {scope: "read_repository"},
		TokenExpired:        {refusal: invalidToken("Token is expired. You can either do re-authorization or token refresh.")},
		TokenRevoked:        {refusal: invalidToken("Token was revoked. You have to re-authorize from the user.")},
		TokenBlocked:        {refusal: forbidden("Your account has been blocked.")},
	}
}

// metadataScopes open the version: the two that read the whole API, and two that
// the endpoint names. Source: gitlab-org/gitlab lib/api/metadata.rb.
var metadataScopes = []string{"api", "read_api", "read_user", "ai_features"}

// check returns nil when the request's token has one of the scopes. A job token
// counts as no token here: the endpoint is not on the list of
// docs.gitlab.com/ci/jobs/ci_job_token.
func check(r *http.Request, scopes []string) *refusal {
	known, ok := tokens()[presented(r)]
	switch {
	case !ok:
		return &refusal{status: http.StatusUnauthorized, body: map[string]any{"message": "401 Unauthorized"}}
	case known.refusal != nil:
		return known.refusal
	case !slices.Contains(scopes, known.scope):
		return insufficientScope(scopes)
	}
	return nil
}

// presented is the token that a request shows.
func presented(r *http.Request) string {
	if secret := r.Header.Get("Private-Token"); secret != "" {
		return secret
	}
	secret, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return secret
}

// refusal is the answer to a token that is not good enough.
// Source of the shapes: gitlab-org/gitlab lib/api/api_guard.rb and lib/api/helpers.rb.
type refusal struct {
	status    int
	challenge string
	body      map[string]any
}

func (f *refusal) write(w http.ResponseWriter) {
	if f.challenge != "" {
		w.Header().Set("WWW-Authenticate", f.challenge)
	}
	answer(w, f.status, f.body)
}

func invalidToken(reason string) *refusal {
	return &refusal{
		status:    http.StatusUnauthorized,
		challenge: `Bearer realm="Protected by OAuth 2.0", error="invalid_token", error_description="` + reason + `"`,
		body:      map[string]any{"error": "invalid_token", "error_description": reason},
	}
}

func forbidden(reason string) *refusal {
	return &refusal{status: http.StatusForbidden, body: map[string]any{"message": "403 Forbidden - " + reason}}
}

func insufficientScope(scopes []string) *refusal {
	const reason = "The request requires higher privileges than provided by the access token."
	return &refusal{
		status: http.StatusForbidden,
		challenge: `Bearer realm="Protected by OAuth 2.0", error="insufficient_scope", error_description="` + reason +
			`", scope="` + strings.Join(scopes, " ") + `"`,
		body: map[string]any{"error": "insufficient_scope", "error_description": reason, "scope": strings.Join(scopes, " ")},
	}
}
