// Package dockerd speaks to a real Docker Engine on this machine: to see where
// containers find this machine, to look at what the program did, and to leave the
// engine as it was. It is plain requests and plain JSON, so that nothing here shares a
// mistake with the program's own client.
package dockerd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// DefaultHost is where an engine is when DOCKER_HOST does not tell.
const DefaultHost = "unix:///var/run/docker.sock"

// maxAnswer bounds an answer. The largest are streams of pulls and archives of tests.
const maxAnswer = 64 << 20

// Engine is a Docker Engine. Paths have no version: every engine then speaks its own
// newest. Source: docs.docker.com/reference/api/engine.
type Engine struct {
	Socket string // the path
	client *http.Client
}

// New takes an engine on this machine, "unix:///path"; from another one containers
// could not reach the lab.
func New(host string) (*Engine, error) {
	socket, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return nil, fmt.Errorf("DOCKER_HOST is %s, and an engine on this machine is needed: unset it, or set it to unix:///path", host)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Engine{Socket: socket, client: &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// Host is the engine's address as in DOCKER_HOST.
func (e *Engine) Host() string { return "unix://" + e.Socket }

// Error is a refusal of the engine.
type Error struct {
	Status int
	Said   string
}

// Error is "404: no such container".
func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Said) }

// IsMissing reports whether an engine refused because something is not there.
func IsMissing(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status == http.StatusNotFound
}

// Call makes one request. A body that is an io.Reader is a tar archive, any other but
// nil is sent as JSON. The answer is decoded into the last argument, if that is not
// nil; a *[]byte takes it as it is. A refusal is an *Error.
func (e *Engine) Call(ctx context.Context, method, path string, body, into any) error {
	kind, content := "application/json", io.Reader(nil)
	switch b := body.(type) {
	case nil:
	case io.Reader:
		kind, content = "application/x-tar", b
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return err
		}
		content = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", kind)
	answer, err := e.client.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case len(data) > maxAnswer:
		return fmt.Errorf("%s %s: the answer is larger than %d bytes", method, path, maxAnswer)
	case answer.StatusCode >= 400:
		return fmt.Errorf("%s %s: %w", method, path, &Error{answer.StatusCode, strings.TrimSpace(string(data))})
	case into == nil:
		return nil
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = data
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
