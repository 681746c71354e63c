package registry

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// session is the conversation with one repository: it answers the registry's demand
// for credentials and remembers the token.
//
// go-containerregistry can do this, too, but refuses token services on private
// addresses other than the registry's own host and port, which is how GitLab stands
// in many networks: GitLab on 10.0.0.5, its registry on 10.0.0.5:5050.
type session struct {
	registry *Registry
	repo     repository
	client   *http.Client

	mu      sync.Mutex
	header  string    // Authorization; "" before the registry asked
	expires time.Time // of header; zero: never
	how     string    // what the registry was shown, in words
}

var _ http.RoundTripper = (*session)(nil)

// RoundTrip sends a request and, when the registry demands it, sends it once more
// with credentials. A refusal of those is an answer and not tried again: GitLab bans
// addresses that fail to authenticate too often (docs.gitlab.com/security/rate_limits).
func (s *session) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" || req.URL.Host != s.repo.host() {
		return s.registry.road.RoundTrip(req) // redirected: a stranger gets nothing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	header := s.header
	if !s.expires.IsZero() && !time.Now().Before(s.expires) {
		header = ""
	}
	resp, err := s.send(req, header)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || header != "" {
		return resp, err
	}
	demand := choose(parseChallenges(resp.Header.Values("WWW-Authenticate")))
	cred, err := s.registry.keys.find(req.Context(), s.repo)
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	if demand == nil || demand.scheme == "basic" && cred.Username == "" {
		s.how = s.in(cred, false)
		return resp, nil
	}
	discard(resp.Body)
	if err := s.answer(req.Context(), *demand, cred); err != nil {
		return nil, err
	}
	return s.send(req, s.header)
}

func (s *session) send(req *http.Request, header string) (*http.Response, error) {
	if header != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", header)
	}
	return s.registry.road.RoundTrip(req)
}

// answer makes the header that the challenge asks for.
func (s *session) answer(ctx context.Context, demand challenge, cred Credential) error {
	if demand.scheme == "basic" {
		s.header, s.expires, s.how = basic(cred), time.Time{}, s.in(cred, true)
		return nil
	}
	realm, err := url.Parse(demand.params["realm"])
	if err != nil || realm.Host == "" || realm.User != nil {
		return fmt.Errorf("registry %s names a token service that is no address: %s",
			s.repo.host(), quote(demand.params["realm"]))
	}
	s.how = s.in(cred, true)
	if cred != (Credential{}) && !s.registry.realms.trusted(s.repo.host(), realm.Hostname()) {
		s.registry.log.Warn("credentials are kept back: the registry's token service is on a host that they are not for",
			"registry", s.repo.host(), "token_service", clean(realm.Host), "credentials", cred.Source)
		s.how = fmt.Sprintf("anonymously, since the credentials from %s are for %s and its token service is on the foreign host %s",
			cred.Source, s.repo.host(), clean(realm.Host))
		cred = Credential{}
	}
	t, err := s.registry.exchange(ctx, tokenRequest{
		realm: realm, service: demand.params["service"],
		scope:      "repository:" + s.repo.name.RepositoryStr() + ":pull",
		credential: cred, shown: s.how,
	})
	if err != nil {
		return err
	}
	s.header, s.expires = "Bearer "+t.value, t.expires
	return nil
}

// shown says what the registry was shown, to go after "asked".
func (s *session) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.how == "" {
		return "without credentials, which the registry did not demand"
	}
	return s.how
}

// in says how one is let in with cred.
func (s *session) in(cred Credential, usable bool) string {
	switch {
	case cred == (Credential{}):
		return fmt.Sprintf("anonymously, since no credentials for %s are in %s", s.repo.host(), sources)
	case !usable:
		return fmt.Sprintf("without the credentials from %s, since the registry accepts no kind that they are", cred.Source)
	case cred.IdentityToken != "":
		return "with the identity token from " + cred.Source
	}
	return fmt.Sprintf("as user %s with the password from %s", quote(cred.Username), cred.Source)
}

// choose picks the challenge to answer: a token service before a password, since a
// token is for one repository and a short time.
func choose(offered []challenge) *challenge {
	for _, scheme := range []string{"bearer", "basic"} {
		for i := range offered {
			if offered[i].scheme == scheme {
				return &offered[i]
			}
		}
	}
	return nil
}

func basic(c Credential) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password.Reveal()))
}

// discard empties a small body, so that its connection can be used again.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxReason)
	_ = body.Close()
}
