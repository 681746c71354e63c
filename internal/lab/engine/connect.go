package engine

import (
	"net/http"
	"slices"

	"github.com/moby/moby/api/types/network"
)

func (e *Engine) connectNetwork(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Container      string
		EndpointConfig *network.EndpointSettings
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, b, err := e.findBoth(req.Container, r.PathValue("id"))
	if err != nil {
		return err
	}
	switch {
	case c.host.NetworkMode.IsHost() || c.host.NetworkMode.IsContainer() || b.Name == "host":
		return refuse(http.StatusBadRequest, "container sharing network namespace with another container or host cannot be connected to any other network")
	case c.endpoints[b.Name] != nil:
		return refuse(http.StatusForbidden, "endpoint with name %s already exists in network %s", c.name, b.Name)
	}
	ep := &endpoint{network: b.ID}
	if req.EndpointConfig != nil {
		ep.given = *req.EndpointConfig.Copy()
	}
	if err := e.checkEndpoint(c, b, ep); err != nil {
		return err
	}
	c.endpoints[b.Name] = ep
	if c.running() {
		e.join(c, b, ep)
	}
	return nil
}

func (e *Engine) disconnectNetwork(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Container string
		Force     bool
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, b, err := e.findBoth(req.Container, r.PathValue("id"))
	if err != nil {
		return err
	}
	if c.endpoints[b.Name] == nil {
		return refuse(http.StatusInternalServerError, "container %s is not connected to network %s", c.id, b.Name)
	}
	delete(c.endpoints, b.Name)
	return nil
}

// findBoth finds a container and a network. e.mu is held.
func (e *Engine) findBoth(ref, id string) (*instance, *bridge, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, nil, err
	}
	b, err := e.findNetwork(id)
	return c, b, err
}

// checkEndpoint refuses what an engine refuses when a container joins a network.
// e.mu is held.
func (e *Engine) checkEndpoint(c *instance, b *bridge, ep *endpoint) error {
	if b.builtIn && len(ep.given.Aliases) > 0 {
		return refuse(http.StatusBadRequest, "network-scoped alias is supported only for containers in user defined networks")
	}
	if ep.given.IPAMConfig == nil || !ep.given.IPAMConfig.IPv4Address.IsValid() {
		return nil
	}
	want := ep.given.IPAMConfig.IPv4Address
	switch {
	case b.builtIn:
		return refuse(http.StatusBadRequest, "user specified IP address is supported on user defined networks only")
	case !b.fixed:
		return refuse(http.StatusBadRequest, "user specified IP address is supported only when connecting to networks with user configured subnets")
	}
	for _, other := range e.containers {
		o := other.endpoints[b.Name]
		if other != c && o != nil && o.id != "" && o.given.IPAMConfig != nil && o.given.IPAMConfig.IPv4Address == want {
			return refuse(http.StatusForbidden, "Address already in use")
		}
	}
	return nil
}

// join puts a running container on a network. e.mu is held.
func (e *Engine) join(c *instance, b *bridge, ep *endpoint) {
	ep.network, ep.id = b.ID, e.newID()
	if !b.builtIn && !slices.Contains(ep.given.Aliases, short(c.id)) {
		ep.given.Aliases = append(ep.given.Aliases, short(c.id))
	}
}

// leaveAll takes a container that stopped from its networks, which it keeps in
// its settings. e.mu is held.
func (c *instance) leaveAll() {
	for _, ep := range c.endpoints {
		ep.id = ""
	}
}

// networksToJoin checks all networks of a container before it starts. e.mu is held.
func (e *Engine) networksToJoin(c *instance) (map[*endpoint]*bridge, error) {
	out := map[*endpoint]*bridge{}
	for name, ep := range c.endpoints {
		b, err := e.findNetwork(name)
		if err != nil {
			return nil, err
		}
		if err := e.checkEndpoint(c, b, ep); err != nil {
			return nil, err
		}
		out[ep] = b
	}
	return out, nil
}
