package docker

import (
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// settled is an existing container as a recipe that still contains what its image
// provides: its settings without the engine's additions, such as generated
// addresses. Two containers are the same when this is the same.
func settled(in Inspected) Recipe {
	r := Recipe{
		Name:       strings.TrimPrefix(in.Name, "/"),
		Config:     copied(in.Config),
		HostConfig: copied(in.HostConfig),
		Networks:   make(map[string]*network.EndpointSettings),
		Origin:     readOrigin(in.Config.Labels),
	}
	r.Config.Image = ""
	r.Config.Env = variables(r.Config.Env).tidy()
	r.Config.Labels = foreignLabels(r.Config.Labels)
	// Without --hostname a container is named after its ID. In the host's UTS
	// namespace the engine shows such a name but does not accept one.
	if r.Config.Hostname == in.ID[:min(shortID, len(in.ID))] || r.HostConfig.UTSMode.IsHost() {
		r.Config.Hostname = ""
	}
	r.HostConfig.CapAdd = capabilities(r.HostConfig.CapAdd)
	r.HostConfig.CapDrop = capabilities(r.HostConfig.CapDrop)
	for i, link := range r.HostConfig.Links {
		r.HostConfig.Links[i] = ownLink(link)
	}
	slices.Sort(r.HostConfig.Links)
	attachVolumes(&r, in.Mounts)
	for name, endpoint := range in.NetworkSettings.Networks {
		r.Networks[name] = ownEndpoint(in, name, endpoint)
	}
	// A network may be named by its ID; the endpoints are kept by name.
	if name, _ := primaryEndpoint(r.HostConfig.NetworkMode, in.NetworkSettings.Networks); name != "" && !builtin(name) {
		r.HostConfig.NetworkMode = container.NetworkMode(name)
	}
	r.MAC = ownMAC(in)
	return r
}

// capabilities spells capabilities as the client library sends them, "CAP_CHOWN",
// sorted; engines before 20.10 keep the user's spelling.
func capabilities(names []string) []string {
	for i, name := range names {
		if name = strings.ToUpper(name); name != "ALL" && !strings.HasPrefix(name, "CAP_") {
			name = "CAP_" + name
		}
		names[i] = name
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ownLink is a link as the user gave it. The engine reports "/db:/gateway/alias"
// for "db:alias".
func ownLink(link string) string {
	name, alias, found := strings.Cut(strings.TrimPrefix(link, "/"), ":")
	if !found {
		alias = name
	}
	return name + ":" + path.Base(alias)
}

// ownEndpoint is what the user set on an endpoint. The engine adds the short ID as
// an alias up to API 1.44; it would pile up from copy to copy. On the engine's own
// networks there are neither aliases nor fixed addresses.
func ownEndpoint(in Inspected, name string, e *network.EndpointSettings) *network.EndpointSettings {
	if e == nil {
		return &network.EndpointSettings{}
	}
	own := &network.EndpointSettings{
		DriverOpts: maps.Clone(e.DriverOpts),
		GwPriority: e.GwPriority,
		Links:      slices.Clone(e.Links),
	}
	for i, link := range own.Links {
		own.Links[i] = ownLink(link)
	}
	if builtin(name) {
		return own
	}
	own.IPAMConfig = e.IPAMConfig.Copy()
	own.Aliases = slices.DeleteFunc(slices.Clone(e.Aliases), func(a string) bool { return a == in.ID[:shortID] })
	slices.Sort(own.Aliases)
	own.Aliases = slices.Compact(own.Aliases)
	return own
}

func builtin(name string) bool {
	return slices.Contains([]string{network.NetworkBridge, network.NetworkHost, network.NetworkNone, network.NetworkDefault}, name)
}

// ownMAC is the address the user chose for the primary endpoint, or nil. The
// endpoints show the address in use, chosen or not; a generated one is always
// locally administered, so another one was chosen. Docker 25.0 reports a
// generated Config.MacAddress; it is made from the endpoint's IPv4 address.
// Sources: moby/moby#47228, #47233.
func ownMAC(in Inspected) network.HardwareAddr {
	_, primary := primaryEndpoint(in.HostConfig.NetworkMode, in.NetworkSettings.Networks)
	if primary == nil {
		primary = &network.EndpointSettings{}
	}
	const local = 0x02
	switch mac := in.MAC; {
	case len(mac) == 0:
		if used := primary.MacAddress; len(used) > 0 && used[0]&local == 0 {
			return slices.Clone(used)
		}
		return nil
	case madeFrom(primary.IPAddress, mac):
		return nil
	default:
		return slices.Clone(mac)
	}
}

func madeFrom(address netip.Addr, mac network.HardwareAddr) bool {
	return address.Is4() && slices.Equal(mac, append(network.HardwareAddr{0x02, 0x42}, address.AsSlice()...))
}

// primaryEndpoint finds the endpoint that the network mode names: by name, by ID,
// or "default" for the engine's own bridge. Which one it is decides the default
// route, so the first of the map will not do.
func primaryEndpoint(mode container.NetworkMode, networks map[string]*network.EndpointSettings) (string, *network.EndpointSettings) {
	name := string(mode)
	if mode.IsDefault() || name == "" {
		name = network.NetworkBridge
	}
	if e, ok := networks[name]; ok {
		return name, e
	}
	for n, e := range networks {
		if e != nil && e.NetworkID != "" && len(name) >= shortID && strings.HasPrefix(e.NetworkID, name) {
			return n, e
		}
	}
	return "", nil
}
