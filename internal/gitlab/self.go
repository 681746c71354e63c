package gitlab

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// renewal is how long before its end a token is warned about.
const renewal = 14 * 24 * time.Hour

// selfInfo is what a token says of itself. The zero value is one that says nothing.
type selfInfo struct {
	scopes []string
	ends   time.Time // zero: never, or not told
}

// describe asks the token for its scopes and its end, once. Every personal, project
// and group access token may read them, whatever its scopes
// (docs.gitlab.com/api/personal_access_tokens, "Retrieve details on ... self"); for
// another kind of token, or in trouble, nothing is known, and the checks ask and see.
func (l *ladder) describe(ctx context.Context) selfInfo {
	if known := l.self.Load(); known != nil {
		return *known
	}
	if l.away.Load() {
		return selfInfo{}
	}
	var said struct {
		Scopes []string `json:"scopes"`
		Ends   string   `json:"expires_at"`
	}
	err := l.ask(ctx, func(ctx context.Context) error {
		return l.api.get(ctx, "personal_access_tokens/self", &said)
	})
	var self selfInfo
	if err == nil {
		self.scopes = known(said.Scopes)
		self.ends, _ = time.Parse(time.DateOnly, said.Ends)
	}
	if !isPassing(err) { // otherwise the next rung asks again
		l.self.Store(&self)
	}
	return self
}

// known are scopes as they may be shown; a list that is not to be believed is as if
// there were none.
func known(scopes []string) []string {
	const most = 50
	if len(scopes) > most {
		return nil
	}
	var list []string
	for _, s := range scopes {
		list = append(list, cut(printable(s)))
	}
	return list
}

// allows reports whether a token may have one of the scopes. A fine-grained token
// has none; what it may do shows when it is tried.
func (s selfInfo) allows(scopes []string) bool {
	return len(s.scopes) == 0 || slices.Contains(s.scopes, "granular") ||
		slices.ContainsFunc(scopes, func(scope string) bool { return slices.Contains(s.scopes, scope) })
}

// expires is a warning about a token that ends soon.
func (s selfInfo) expires(now time.Time) string {
	left := s.ends.Sub(now)
	if s.ends.IsZero() || left > renewal {
		return ""
	}
	return fmt.Sprintf("gitlab.token expires on %s, in %d days: renew it", s.ends.Format(time.DateOnly), max(0, int(left.Hours()/24)))
}
