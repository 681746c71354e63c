package gitlab

import "net/http"

// User is who a token belongs to, as docs.gitlab.com/api/notes shows an author.
type User struct {
	ID       int    `json:"id"`
	Username string `json:"username"`
	Name     string `json:"name"`
	State    string `json:"state"`
	Bot      bool   `json:"bot"`
}

// user tells the holder of a token who that is. A job token is not told.
// Source: docs.gitlab.com/api/users, "Get the current user".
func (s *Server) user(w http.ResponseWriter, r *http.Request) {
	if refused := check(r, []string{"api", "read_api", "read_user"}); refused != nil {
		refused.write(w)
		return
	}
	answer(w, http.StatusOK, holder(r))
}

// holder is who a request's token belongs to: TokenAPI is a project's access token,
// with a bot of its own (docs.gitlab.com/user/project/settings/project_access_tokens),
// the others are a person's.
func holder(r *http.Request) User {
	if presented(r) == TokenAPI {
		return User{ID: 71, Username: "project_1_bot_7f3a", Name: "aigw", State: "active", Bot: true}
	}
	return User{ID: 2, Username: "alex", Name: "Alex", State: "active"}
}
