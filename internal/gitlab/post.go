package gitlab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// post sends JSON to a path below gitlab.url and returns the JSON that comes back,
// as it came. It is sent once: only the caller knows whether twice would be once too
// often. An error is an [*Error].
//
// The library has no part in it: it knows neither GraphQL nor an answer that must
// not be kept.
func (c *Client) post(ctx context.Context, path string, body any) (json.RawMessage, error) {
	address := c.url + path
	sent, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json") // without it, the maintenance mode redirects
	req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	resp, err := c.http.Do(req)
	if problem, ok := errors.AsType[*Error](err); ok {
		return nil, problem
	}
	if err != nil {
		e := &Error{Method: http.MethodPost, URL: place(address), Err: err}
		e.Problem, e.Remedy, e.passing = unreachable(err)
		return nil, e
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body) // in memory and bounded, thanks to whole and answers
}
