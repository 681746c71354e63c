package main

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
	"strings"
)

// engineAPI is the little of the Engine API that the demo itself needs: to see
// where containers find this machine, and to leave the engine as it was.
type engineAPI struct{ client *http.Client }

// newEngineAPI takes an engine on this machine; from another one containers could
// not reach the lab.
func newEngineAPI(host string) (*engineAPI, error) {
	socket, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return nil, fmt.Errorf("the demo needs an engine on this machine, and DOCKER_HOST is %s: unset it, or set AIGW_LAB_STAND_IN=1", host)
	}
	return &engineAPI{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}, nil
}

// call makes one request and decodes the answer into v, unless that is nil. What
// is not there is no error.
func (e *engineAPI) call(ctx context.Context, method, path string, v any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, nil)
	if err != nil {
		return err
	}
	answer, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body := io.LimitReader(answer.Body, 8<<20)
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return nil
	case answer.StatusCode >= 400:
		text, _ := io.ReadAll(io.LimitReader(body, 300))
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	case v == nil:
		return nil
	}
	return json.NewDecoder(body).Decode(v)
}

// bridge is this machine's address on the engine's default network.
func (e *engineAPI) bridge(ctx context.Context) (string, error) {
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

// gateway finds a container that seems to be a gateway already. aigw-ci takes over
// the one gateway it finds, whatever its name, and the demo must not be shown on
// somebody's own.
func (e *engineAPI) gateway(ctx context.Context) (string, error) {
	var containers []struct {
		ID    string `json:"Id"`
		Names []string
	}
	if err := e.call(ctx, http.MethodGet, "/containers/json?all=1", &containers); err != nil {
		return "", err
	}
	for _, c := range containers {
		var found struct{ Config struct{ Image string } }
		if err := e.call(ctx, http.MethodGet, "/containers/"+c.ID+"/json", &found); err != nil {
			return "", err
		}
		for _, mark := range []string{"model-gateway", "ai-gateway", "self-hosted-v"} {
			if strings.Contains(found.Config.Image, mark) {
				return strings.TrimPrefix(strings.Join(c.Names, ""), "/"), nil
			}
		}
	}
	return "", nil
}

// tidy removes the containers of a gateway and the images of a registry.
func (e *engineAPI) tidy(ctx context.Context, container, registry string) error {
	var containers []struct {
		ID    string `json:"Id"`
		Names []string
	}
	errs := []error{e.call(ctx, http.MethodGet, "/containers/json?all=1", &containers)}
	for _, c := range containers {
		for _, name := range c.Names {
			if name == "/"+container || strings.HasPrefix(name, "/"+container+".aigw-ci-") {
				errs = append(errs, e.call(ctx, http.MethodDelete, "/containers/"+c.ID+"?force=1&v=1", nil))
			}
		}
	}
	var images []struct{ RepoDigests []string }
	errs = append(errs, e.call(ctx, http.MethodGet, "/images/json", &images))
	for _, i := range images {
		for _, name := range i.RepoDigests {
			if registry != "" && strings.HasPrefix(name, registry+"/") {
				errs = append(errs, e.call(ctx, http.MethodDelete, "/images/"+url.PathEscape(name), nil))
			}
		}
	}
	return errors.Join(errs...)
}
