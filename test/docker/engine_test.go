//go:build docker

package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// engine is the Docker Engine, over its socket. Paths have no version: every engine
// then speaks its own newest. Source: docs.docker.com/reference/api/engine.
type engine struct {
	socket string
	client *http.Client
}

func newEngine(host string) (*engine, error) {
	socket, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return nil, fmt.Errorf("DOCKER_HOST is %s; these tests need an engine on this machine: unset it, or set it to unix:///path", host)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &engine{socket: socket, client: &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// engineError is a refusal of the engine.
type engineError struct {
	status int
	said   string
}

func (e *engineError) Error() string { return fmt.Sprintf("%d: %s", e.status, e.said) }

func isMissing(err error) bool {
	var refused *engineError
	return errors.As(err, &refused) && refused.status == http.StatusNotFound
}

// call makes one request. A body that is an io.Reader is a tar archive, any other is
// sent as JSON. The answer is decoded into the last argument, if that is not nil; a
// *[]byte takes it as it is.
func (e *engine) call(ctx context.Context, method, path string, body, into any) error {
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
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case answer.StatusCode >= 400:
		return fmt.Errorf("%s %s: %w", method, path, &engineError{answer.StatusCode, strings.TrimSpace(string(data))})
	case into == nil:
		return nil
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = data
		return nil
	}
	return json.Unmarshal(data, into)
}

// must is call, where a failure is the end of the test.
func (e *engine) must(t testing.TB, method, path string, body, into any) {
	t.Helper()
	if err := e.call(t.Context(), method, path, body, into); err != nil {
		t.Fatalf("engine: %v", err)
	}
}

// container is what the tests read of one. Raw is all of it.
type container struct {
	ID           string `json:"Id"`
	Name         string // with a leading slash
	Created      time.Time
	RestartCount int
	State        struct {
		Status    string
		Error     string
		StartedAt string
		Health    *struct{ Status string }
	}
	Config struct {
		Image  string
		Env    []string
		Labels map[string]string
	}
	HostConfig struct {
		RestartPolicy struct{ Name string }
	}
	NetworkSettings struct {
		Networks map[string]struct {
			IPAddress string
			Aliases   []string
		}
	}
	Mounts []struct {
		Type, Name, Destination string
	}

	raw []byte
}

// variable is a variable of the container's environment.
func (c *container) variable(name string) string {
	for _, pair := range c.Config.Env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// find inspects a container by name or ID; nil when there is none.
func (e *engine) find(ctx context.Context, name string) (*container, error) {
	var raw []byte
	if err := e.call(ctx, http.MethodGet, "/containers/"+url.PathEscape(name)+"/json", nil, &raw); err != nil {
		if isMissing(err) {
			return nil, nil
		}
		return nil, err
	}
	c := &container{raw: raw}
	return c, json.Unmarshal(raw, c)
}

// inspect is find, where the container has to be there.
func (e *engine) inspect(t testing.TB, name string) *container {
	t.Helper()
	c, err := e.find(t.Context(), name)
	switch {
	case err != nil:
		t.Fatalf("engine: %v", err)
	case c == nil:
		t.Fatalf("there is no container %s", name)
	}
	return c
}

// listed is a container, image, volume or network in a list of the engine.
type listed struct {
	ID                    string `json:"Id"`
	Name                  string
	Names                 []string
	Labels                map[string]string
	RepoTags, RepoDigests []string
}

func (e *engine) containers(ctx context.Context) (list []listed, err error) {
	return list, e.call(ctx, http.MethodGet, "/containers/json?all=1", nil, &list)
}

func (e *engine) images(ctx context.Context) (list []listed, err error) {
	return list, e.call(ctx, http.MethodGet, "/images/json", nil, &list)
}

func (e *engine) volumes(ctx context.Context) ([]listed, error) {
	var answer struct{ Volumes []listed }
	err := e.call(ctx, http.MethodGet, "/volumes", nil, &answer)
	return answer.Volumes, err
}

func (e *engine) networks(ctx context.Context) (list []listed, err error) {
	return list, e.call(ctx, http.MethodGet, "/networks", nil, &list)
}

// bridge is this machine's address on the engine's default network.
func (e *engine) bridge(ctx context.Context) (string, error) {
	var network struct {
		IPAM struct {
			Config []struct{ Gateway, Subnet string }
		}
	}
	if err := e.call(ctx, http.MethodGet, "/networks/bridge", nil, &network); err != nil {
		return "", err
	}
	for _, c := range network.IPAM.Config {
		gateway, _ := netip.ParseAddr(c.Gateway)
		if subnet, err := netip.ParsePrefix(c.Subnet); err == nil && c.Gateway == "" {
			gateway = subnet.Masked().Addr().Next() // an engine does not always say what it chose
		}
		if gateway.Is4() {
			return gateway.String(), nil
		}
	}
	return "", errors.New("the engine has no default bridge network with an IPv4 address")
}

// foreignGateways are containers that look like somebody's gateway. The program takes
// over the one it finds, whatever its name: tests must not run beside it.
func (e *engine) foreignGateways(ctx context.Context) ([]string, error) {
	list, err := e.containers(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, l := range list {
		c, err := e.find(ctx, l.ID)
		switch {
		case err != nil:
			return nil, err
		case c == nil:
			continue // it ended meanwhile
		}
		looks := func(mark string) bool { return strings.Contains(c.Config.Image, mark) }
		if slices.ContainsFunc([]string{"model-gateway", "ai-gateway", "self-hosted-v"}, looks) {
			found = append(found, strings.TrimPrefix(c.Name, "/")+" ("+c.Config.Image+")")
		}
	}
	return found, nil
}
