package gitlab

import (
	"context"
	"errors"
	"net/http"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/version"

	// Retired upstream: the successor is gitlab.com/gitlab-org/api/client-go, whose
	// NewClient, options, NewRequest and Do have the same shape. This is the only
	// file that knows either.
	gitlab "github.com/xanzy/go-gitlab"
)

// api is the instance's REST API, version 4.
type api struct{ client *gitlab.Client }

// newAPI returns the API under root, which may have a path (a relative URL root).
// The library's own retries (every method, no dropped connection, no Retry-After)
// and its rate limiter are off; the HTTP client does that.
func newAPI(root string, token secret.Value, client *http.Client) (*api, error) {
	c, err := gitlab.NewClient(token.Reveal(),
		gitlab.WithBaseURL(root+"/api/v4"),
		gitlab.WithHTTPClient(client),
		gitlab.WithoutRetries(),
		gitlab.WithCustomLimiter(unlimited{}))
	if err != nil {
		return nil, err
	}
	c.UserAgent = "" // the transport names this program
	return &api{client: c}, nil
}

type unlimited struct{}

func (unlimited) Wait(ctx context.Context) error { return ctx.Err() }

// metadata is the part of GET /metadata that is of use; /version, its predecessor,
// has no enterprise. Sources: docs.gitlab.com/api/metadata, and its history: the
// endpoint is there since 15.2, the field since 15.6.
type metadata struct {
	Version    string `json:"version"`
	Enterprise *bool  `json:"enterprise"`
}

// metadata asks which version the instance runs. An error is an [*Error].
func (a *api) metadata(ctx context.Context) (metadata, version.GitLab, error) {
	m, v, err := a.version(ctx, "metadata")
	if problem, ok := errors.AsType[*Error](err); ok && problem.Status == http.StatusNotFound {
		return a.version(ctx, "version")
	}
	return m, v, err
}

func (a *api) version(ctx context.Context, path string) (metadata, version.GitLab, error) {
	var m metadata
	if err := a.get(ctx, path, &m); err != nil {
		return metadata{}, version.GitLab{}, err
	}
	v, err := version.ParseGitLab(m.Version)
	if err != nil {
		return metadata{}, version.GitLab{}, &Error{
			Method: http.MethodGet, URL: a.client.BaseURL().String() + path, Status: http.StatusOK,
			Problem: "the answer is JSON, but not GitLab's",
			Remedy:  notGitLabRemedy,
			Err:     err,
		}
	}
	return m, v, nil
}

// get reads the JSON that path answers with into v. An error is an [*Error].
func (a *api) get(ctx context.Context, path string, v any) error {
	_, err := a.call(ctx, http.MethodGet, path, nil, v)
	return err
}

// call makes one request and reads the JSON of the answer into v. What goes with it
// is the query of a GET (a struct with "url" tags), and otherwise the body, as JSON.
// next is the number of the page that follows, 0 when there is none
// (docs.gitlab.com/api/rest, offset-based pagination). An error is an [*Error].
func (a *api) call(ctx context.Context, method, path string, with, v any) (next int, err error) {
	req, err := a.client.NewRequest(method, path, with, []gitlab.RequestOptionFunc{gitlab.WithContext(ctx)})
	if err != nil {
		return 0, err
	}
	resp, err := a.client.Do(req, v)
	if problem, ok := errors.AsType[*Error](err); ok {
		return 0, problem // without net/http's and the library's words around it
	}
	if err == nil {
		return resp.NextPage, nil
	}
	e := &Error{
		Method: req.Method, URL: place(req.URL.String()),
		Problem: "the answer cannot be used", Remedy: notGitLabRemedy, Err: err,
	}
	if ctx.Err() != nil { // the library puts it in the place of the cause
		e.Problem, e.Remedy, e.passing = unreachable(ctx.Err())
	}
	return 0, e
}
