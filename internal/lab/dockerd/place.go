package dockerd

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Bridge is this machine's address on the engine's default network.
func (e *Engine) Bridge(ctx context.Context) (string, error) {
	var network struct {
		IPAM struct {
			Config []struct{ Gateway, Subnet string }
		}
	}
	if err := e.Call(ctx, http.MethodGet, "/networks/bridge", nil, &network); err != nil {
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

// marks are in the names of gateways' images.
var marks = []string{"model-gateway", "ai-gateway", "self-hosted-v"}

// Gateways are containers that look like somebody's gateway: "name (image)". aigw-ci
// takes over the one it finds, whatever its name, so neither tests nor a demo may run
// beside it.
func (e *Engine) Gateways(ctx context.Context) ([]string, error) {
	list, err := e.Containers(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, l := range list {
		c, err := e.Find(ctx, l.ID)
		switch {
		case err != nil:
			return nil, err
		case c == nil:
			continue // it ended meanwhile
		}
		looks := func(mark string) bool { return strings.Contains(c.Config.Image, mark) }
		if slices.ContainsFunc(marks, looks) {
			found = append(found, strings.TrimPrefix(c.Name, "/")+" ("+c.Config.Image+")")
		}
	}
	return found, nil
}
