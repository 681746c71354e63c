package gitlab

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Tokens that every stand-in instance knows. They are no secrets.
const (
	TokenAPI            = "glpat-lab-api"
	TokenReadAPI        = "glpat-lab-read-api"
	TokenReadUser       = "glpat-lab-read-user"
	TokenAIFeatures     = "glpat-lab-ai-features" // of a user with GitLab Duo
	TokenNoDuo          = "glpat-lab-no-duo"      // ai_features, of a user without
	TokenEnding         = "glpat-lab-ending"      // ai_features, and ends in nine days
	TokenAdmin          = "glpat-lab-admin"       // api, of an administrator with GitLab Duo
	TokenAdminRead      = "glpat-lab-admin-read"  // read_api, of the same
	TokenGranular       = "glpat-lab-granular"    // a fine-grained one of the same, with every permission
	TokenReadRepository = "glpat-lab-read-repo"   // too narrow a scope for the version
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
	admin   bool
	duo     bool          // its user may use GitLab Duo
	left    time.Duration // until its end; 0 is a year
}

func tokens() map[string]token {
	return map[string]token{
		TokenAPI:            {scope: "api"},
		TokenReadAPI:        {scope: "read_api"},
		TokenReadUser:       {scope: "read_user"},
		TokenAIFeatures:     {scope: "ai_features", duo: true},
		TokenNoDuo:          {scope: "ai_features"},
		TokenEnding:         {scope: "ai_features", duo: true, left: 9*24*time.Hour + time.Hour},
		TokenAdmin:          {scope: "api", admin: true, duo: true},
		TokenAdminRead:      {scope: "read_api", admin: true, duo: true},
		TokenGranular:       {scope: "granular", admin: true, duo: true},
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
		return unauthorized()
	case known.refusal != nil:
		return known.refusal
	case known.scope != "granular" && !slices.Contains(scopes, known.scope):
		return insufficientScope(scopes)
	}
	return nil
}

// self tells a personal, project or group access token about itself, whatever its
// scopes. Source: docs.gitlab.com/api/personal_access_tokens.
func (s *Server) self(w http.ResponseWriter, r *http.Request) {
	known, ok := tokens()[presented(r)]
	switch {
	case !ok:
		unauthorized().write(w)
		return
	case known.refusal != nil:
		known.refusal.write(w)
		return
	}
	now := time.Now().UTC()
	answer(w, http.StatusOK, map[string]any{
		"id": 4, "name": "aigw", "revoked": false, "created_at": now.AddDate(0, -1, 0).Format(time.RFC3339),
		"scopes": []string{known.scope}, "user_id": holder(r).ID, "active": true,
		"expires_at": now.Add(cmp.Or(known.left, 365*24*time.Hour)).Format(time.DateOnly),
	})
}

func unauthorized() *refusal {
	return &refusal{status: http.StatusUnauthorized, body: map[string]any{"message": "401 Unauthorized"}}
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
