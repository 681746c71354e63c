package registry

import (
	"net/http"
	"strings"
)

// authorize lets a request through, or answers with the challenge that says where a
// token is to be had. Source: distribution/distribution docs, "Token Authentication".
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, name string) bool {
	if s.options.Authority == nil {
		return true
	}
	actions := []string{"pull"}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		actions = []string{"pull", "push"}
	}
	token, came := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	problem := ""
	switch {
	case !came:
	case !s.options.Authority.Grants(token, "", ""):
		problem = "invalid_token"
	case name == "" || s.grantsAll(token, name, actions):
		return true
	default:
		problem = "insufficient_scope"
	}
	w.Header().Set("WWW-Authenticate", s.challenge(r, name, strings.Join(actions, ","), problem))
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	return false
}

func (s *Server) grantsAll(token, name string, actions []string) bool {
	for _, a := range actions {
		if !s.options.Authority.Grants(token, name, a) {
			return false
		}
	}
	return true
}

func (s *Server) challenge(r *http.Request, name, actions, problem string) string {
	realm := s.currentQuirks().Realm
	if realm == "" && s.options.Realm != nil {
		realm = s.options.Realm(r)
	}
	c := `Bearer realm="` + realm + `",service="container_registry"`
	if name != "" {
		c += `,scope="repository:` + name + ":" + actions + `"`
	}
	if problem != "" {
		c += `,error="` + problem + `"`
	}
	return c
}
