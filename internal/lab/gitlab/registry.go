package gitlab

import (
	"net/http"
	"slices"
	"strings"
)

// Credentials for the registry that every stand-in instance knows, beside
// gitlab-ci-token with JobToken. They may pull everything; only RegistryPusher
// may push.
const (
	RegistryUser     = "lab-deploy-token"
	RegistryPusher   = "lab-pusher"
	RegistryPassword = "lab-registry-password"
)

// access is one entry of a registry token.
// Source: distribution/distribution docs, "Docker Registry Token Authentication".
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

type registryClaims struct {
	Audience string   `json:"aud"`
	Access   []access `json:"access"`
}

// registryToken is the token endpoint of the container registry. It drops what the
// user may not do and answers with the rest, so that it is the registry that
// refuses; only bad credentials are refused here. The answer has no expires_in.
// Source: gitlab-org/gitlab app/services/auth/container_registry_authentication_service.rb.
func (s *Server) registryToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("service") != "container_registry" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	user, password, came := r.BasicAuth()
	if came && !knows(user, password) {
		registryError(w, http.StatusUnauthorized, "UNAUTHORIZED", "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect or you're required to use a token instead of a password.")
		return
	}
	var granted []access
	for _, scope := range query["scope"] {
		for _, one := range strings.Fields(scope) {
			if a, ok := s.grant(one, user); ok {
				granted = append(granted, a)
			}
		}
	}
	if !came && len(query["scope"]) == 0 {
		registryError(w, http.StatusForbidden, "DENIED", "access forbidden")
		return
	}
	answer(w, http.StatusOK, map[string]any{"token": s.Sign(map[string]any{
		"iss": "gitlab-issuer", "aud": "container_registry", "sub": user, "access": granted,
	}, s.options.TokenLife)})
}

// grant reads "repository:<name>:<actions>" and leaves the actions the user may do.
func (s *Server) grant(scope, user string) (access, bool) {
	kind, rest, _ := strings.Cut(scope, ":")
	name, actions, ok := cutLast(rest, ":")
	if !ok || kind != "repository" {
		return access{}, false
	}
	a := access{Type: kind, Name: name}
	for action := range strings.SplitSeq(actions, ",") {
		if action == "pull" && (user != "" || !s.private(name)) || action == "push" && user == RegistryPusher {
			a.Actions = append(a.Actions, action)
		}
	}
	return a, len(a.Actions) > 0
}

func (s *Server) private(name string) bool {
	return slices.ContainsFunc(s.options.Private, func(p string) bool {
		return name == p || strings.HasPrefix(name, p+"/")
	})
}

func knows(user, password string) bool {
	switch user {
	case RegistryUser, RegistryPusher:
		return password == RegistryPassword
	case "gitlab-ci-token":
		return password == JobToken
	}
	return false
}

// Grants reports whether a registry token that this instance gave out allows an
// action on a repository. An empty repository asks only whether the token is good.
func (s *Server) Grants(token, repository, action string) bool {
	var claims registryClaims
	if s.verify(token, &claims) != nil || claims.Audience != "container_registry" {
		return false
	}
	return repository == "" || slices.ContainsFunc(claims.Access, func(a access) bool {
		return a.Type == "repository" && a.Name == repository && slices.Contains(a.Actions, action)
	})
}

func registryError(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
