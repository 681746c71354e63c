package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

const maxRedirects = 5

// answer is a 200 with its body read in full.
type answer struct {
	what   string // the request, for errors
	header http.Header
	body   []byte
}

// get reads a resource of a repository, "tags/list" or "manifests/latest". An answer
// other than 200 is a *statusError, one of more than limit bytes an error too.
func (r *Registry) get(ctx context.Context, repo repository, resource string, query url.Values, accept string, limit int64) (*answer, error) {
	u := &url.URL{
		Scheme:   "https",
		Host:     repo.host(),
		Path:     "/v2/" + repo.name.RepositoryStr() + "/" + resource,
		RawQuery: query.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)

	s := r.session(repo)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, wireError(u, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, r.refusal(resp, u, s.shown())
	}
	body, err := readBounded(resp.Body, limit)
	if err != nil {
		return nil, wireError(u, err)
	}
	return &answer{what: what(u), header: resp.Header, body: body}, nil
}

// session returns the one session with a repository, so that its token is asked for
// once.
func (r *Registry) session(repo repository) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := repo.name.Name()
	s := r.sessions[key]
	if s == nil {
		s = &session{registry: r, repo: repo}
		s.client = &http.Client{Transport: s, CheckRedirect: checkRedirect}
		r.sessions[key] = s
	}
	return s
}

// checkRedirect lets a registry send us elsewhere, as many do for blobs. What is
// fetched there is fetched without credentials (see session.RoundTrip).
func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case req.URL.Scheme == "https", req.URL.Scheme == "http" && plainAllowed(req.URL.Host):
		return nil
	}
	return fmt.Errorf("it redirects to %s://%s, which is not https", clean(req.URL.Scheme), clean(req.URL.Host))
}

// wireError says which request brought no answer. net/http says so too, but with the
// query, which may hold what should not be seen.
func wireError(u *url.URL, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("%s: %w", what(u), err)
}

// what names a request for a person.
func what(u *url.URL) string { return "GET " + u.Scheme + "://" + u.Host + u.EscapedPath() }

func readBounded(body io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("the answer is larger than %d bytes", limit)
	}
	return b, nil
}
