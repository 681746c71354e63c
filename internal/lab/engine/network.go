package engine

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/network"
)

// bridge is a network. Its containers do not really share one: they have
// loopback addresses, on whatever network they are.
type bridge struct {
	network.Network
	builtIn bool
	fixed   bool // the client chose the subnet, so it may choose addresses too
}

// endpoint is a container's place on one network.
type endpoint struct {
	given   network.EndpointSettings // as the client asked
	network string                   // ID, known from the first start on
	id      string                   // set while the container runs
}

func predefined(name string) *bridge {
	driver := map[string]string{"none": "null"}[name]
	if driver == "" {
		driver = name
	}
	return &bridge{Network: network.Network{Name: name, Driver: driver}, builtIn: true}
}

// addNetwork stores a network and fills in what an engine adds. e.mu is held,
// or the engine not yet shared.
func (e *Engine) addNetwork(b *bridge) {
	b.ID = e.newID()
	b.Created = time.Now().UTC()
	b.Scope = "local"
	if b.IPAM.Driver == "" {
		b.IPAM.Driver = "default"
	}
	if b.Driver == "bridge" && len(b.IPAM.Config) == 0 {
		b.IPAM.Config = []network.IPAMConfig{{Subnet: e.net.subnet(), Gateway: e.net.gateway()}}
	}
	if b.Options == nil {
		b.Options = map[string]string{}
	}
	if b.Labels == nil {
		b.Labels = map[string]string{}
	}
	e.networks[b.ID] = b
}

// findNetwork looks a network up by ID, name, or the beginning of its ID. e.mu is held.
func (e *Engine) findNetwork(ref string) (*bridge, error) {
	if b := e.networks[ref]; b != nil {
		return b, nil
	}
	for _, b := range e.networks {
		if b.Name == ref {
			return b, nil
		}
	}
	for id, b := range e.networks {
		if ref != "" && strings.HasPrefix(id, ref) {
			return b, nil
		}
	}
	return nil, refuse(http.StatusNotFound, "network %s not found", ref)
}

// networkName is the name a network mode or ID stands for; what is not known
// stays as it is, for the start to complain about. e.mu is held.
func (e *Engine) networkName(ref string) string {
	if ref == "default" || ref == "" {
		return "bridge"
	}
	if b, err := e.findNetwork(ref); err == nil {
		return b.Name
	}
	return ref
}

func (e *Engine) createNetwork(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name, Driver                     string
		Internal, Attachable, EnableIPv6 bool
		IPAM                             *network.IPAM
		Options, Labels                  map[string]string
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, b := range e.networks {
		if b.Name == req.Name {
			return refuse(http.StatusConflict, "network with name %s already exists", req.Name)
		}
	}
	switch {
	case req.Name == "":
		return refuse(http.StatusBadRequest, "invalid network name: name is empty")
	case req.Driver == "":
		req.Driver = "bridge"
	case req.Driver != "bridge":
		return refuse(http.StatusNotImplemented, "network driver %q is not offered by the stand-in engine", req.Driver)
	}
	b := &bridge{Network: network.Network{
		Name: req.Name, Driver: req.Driver, Internal: req.Internal, Attachable: req.Attachable,
		EnableIPv6: req.EnableIPv6, Options: req.Options, Labels: req.Labels,
	}}
	if req.IPAM != nil {
		b.IPAM, b.fixed = *req.IPAM, len(req.IPAM.Config) > 0
	}
	e.addNetwork(b)
	return writeJSON(w, http.StatusCreated, map[string]string{"Id": b.ID, "Warning": ""})
}

// resource is a container as a network shows it. The address has the length of
// its subnet behind it.
type resource struct{ Name, EndpointID, MacAddress, IPv4Address, IPv6Address string }

// networkJSON is a network as API 1.41 shows it: without EnableIPv4.
type networkJSON struct {
	network.Network
	EnableIPv4 *bool `json:",omitempty"`
	Containers map[string]resource
}

// show is a network with the containers that run on it. e.mu is held.
func (e *Engine) show(b *bridge) networkJSON {
	out := networkJSON{Network: b.Network, Containers: map[string]resource{}}
	for _, c := range e.containers {
		if ep := c.endpoints[b.Name]; ep != nil && ep.id != "" {
			out.Containers[c.id] = resource{
				Name: c.name, EndpointID: ep.id, MacAddress: mac(c.addr),
				IPv4Address: netip.PrefixFrom(c.addr, e.net.subnet().Bits()).String(),
			}
		}
	}
	return out
}

func (e *Engine) inspectNetwork(w http.ResponseWriter, r *http.Request) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, err := e.findNetwork(r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, e.show(b))
}

func (e *Engine) listNetworks(w http.ResponseWriter, r *http.Request) error {
	want, err := readFilters(r, "name", "id", "label", "driver")
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []networkJSON{}
	for _, id := range slices.Sorted(maps.Keys(e.networks)) {
		b := e.networks[id]
		if want.name(b.Name) && want.id(id) && want.labels(b.Labels) && want.one("driver", b.Driver) {
			shown := e.show(b)
			shown.Containers = map[string]resource{} // the list leaves them out
			out = append(out, shown)
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

func (e *Engine) removeNetwork(w http.ResponseWriter, r *http.Request) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, err := e.findNetwork(r.PathValue("id"))
	switch {
	case err != nil:
		return err
	case b.builtIn:
		return refuse(http.StatusForbidden, "%s is a pre-defined network and cannot be removed", b.Name)
	case len(e.show(b).Containers) > 0:
		return refuse(http.StatusForbidden, "error while removing network: network %s id %s has active endpoints", b.Name, b.ID)
	}
	delete(e.networks, b.ID)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
