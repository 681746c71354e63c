//go:build docker

package pipeline

import (
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

// engine is the Docker Engine, over its socket: plain requests and plain JSON, so
// that nothing here shares a mistake with the program's own client.
// Source: docs.docker.com/reference/api/engine.
type engine struct {
	host   string // DOCKER_HOST
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
	return &engine{host: host, client: &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

var errMissing = errors.New("not found")

// call makes one request and decodes the answer into v, unless that is nil.
func (e *engine) call(ctx context.Context, method, path string, v any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, nil)
	if err != nil {
		return err
	}
	answer, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w: %s", method, path, errMissing, data)
	case answer.StatusCode >= 400:
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, data)
	case v == nil:
		return nil
	}
	return json.Unmarshal(data, v)
}

// listed is a container or an image in a list of the engine.
type listed struct {
	ID                    string `json:"Id"`
	Names                 []string
	RepoTags, RepoDigests []string
}

func (e *engine) containers(ctx context.Context) (list []listed, err error) {
	return list, e.call(ctx, http.MethodGet, "/containers/json?all=1", &list)
}

// container is what the tests read of one.
type container struct {
	ID     string `json:"Id"`
	State  struct{ Status string }
	Config struct {
		Image string
		Env   []string
	}
}

// inspect reads a container; nil when there is none.
func (e *engine) inspect(t testing.TB, name string) *container {
	t.Helper()
	var c container
	err := e.call(t.Context(), http.MethodGet, "/containers/"+url.PathEscape(name)+"/json", &c)
	if errors.Is(err, errMissing) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// bridge is this machine's address on the engine's default network.
func (e *engine) bridge(ctx context.Context) (string, error) {
	var network struct {
		IPAM struct {
			Config []struct{ Gateway, Subnet string }
		}
	}
	if err := e.call(ctx, http.MethodGet, "/networks/bridge", &network); err != nil {
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

// gateways are containers that look like a gateway. The program takes over the one it
// finds, whatever its name: tests must not run beside it.
func (e *engine) gateways(ctx context.Context) ([]string, error) {
	list, err := e.containers(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, l := range list {
		var c container
		if err := e.call(ctx, http.MethodGet, "/containers/"+l.ID+"/json", &c); errors.Is(err, errMissing) {
			continue
		} else if err != nil {
			return nil, err
		}
		looks := func(mark string) bool { return strings.Contains(c.Config.Image, mark) }
		if slices.ContainsFunc([]string{"model-gateway", "ai-gateway", "self-hosted-v"}, looks) {
			found = append(found, strings.TrimPrefix(strings.Join(l.Names, ""), "/")+" ("+c.Config.Image+")")
		}
	}
	return found, nil
}

// tidy removes the containers of the gateways with these names, and the images of a
// registry.
func (e *engine) tidy(registry string, names ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	containers, err := e.containers(ctx)
	errs := []error{err}
	remove := func(path string) {
		if err := e.call(ctx, http.MethodDelete, path, nil); !errors.Is(err, errMissing) {
			errs = append(errs, err)
		}
	}
	for _, c := range containers {
		if slices.ContainsFunc(c.Names, func(n string) bool {
			base, _, _ := strings.Cut(strings.TrimPrefix(n, "/"), ".aigw-ci-")
			return slices.Contains(names, base)
		}) {
			remove("/containers/" + c.ID + "?force=1&v=1")
		}
	}
	var images []listed
	errs = append(errs, e.call(ctx, http.MethodGet, "/images/json", &images))
	for _, i := range images {
		for _, name := range append(i.RepoTags, i.RepoDigests...) {
			if strings.HasPrefix(name, registry+"/") {
				remove("/images/" + name)
			}
		}
	}
	return errors.Join(errs...)
}
