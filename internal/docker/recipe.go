package docker

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// Recipe is everything that makes a container, except its image. What the image
// provides by itself is left out, so that another image's own defaults apply.
//
// It holds the values of secrets: it is never logged.
type Recipe struct {
	Name       string
	Config     *container.Config
	HostConfig *container.HostConfig

	// Networks are the endpoints by network name, with the user's settings only;
	// the one HostConfig.NetworkMode names is the primary.
	Networks map[string]*network.EndpointSettings

	// MAC is the address the user chose for the primary endpoint; nil lets the
	// engine choose.
	MAC network.HardwareAddr

	// Files are put into the container before it is started.
	Files []Deposit

	// Origin says which settings the user made; it is kept on the container.
	Origin Origin
}

// Deposit is a file that is put into the container with the engine's archive API,
// which also works where the engine runs on another machine.
type Deposit struct {
	Path     string // absolute, its directory ours alone: it is created with mode 0755
	Mode     int64  // permission bits
	UID, GID int
	Data     []byte
}

// Findings is what the administrator should know about a recipe.
type Findings struct {
	Notes []string // what to do or know, one line each

	// Refusals are reasons why the container would not be the same; with one of
	// them nothing may be changed.
	Refusals []string
}

func (f *Findings) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

func (f *Findings) refuse(format string, args ...any) {
	f.Refusals = append(f.Refusals, fmt.Sprintf(format, args...))
}

// String keeps a recipe's secrets out of a careless "%v".
func (r Recipe) String() string { return "recipe of container " + r.Name }

// GoString does the same for "%#v".
func (r Recipe) GoString() string { return r.String() }

// Exclusive says what keeps a container of this recipe from running beside
// another one; empty when both can run at once.
func (r Recipe) Exclusive() []string {
	var reasons []string
	if r.HostConfig.NetworkMode.IsHost() {
		reasons = append(reasons, "it uses the host's network")
	}
	for port, bindings := range r.HostConfig.PortBindings {
		for _, b := range bindings {
			if b.HostPort != "" && b.HostPort != "0" {
				reasons = append(reasons, fmt.Sprintf("it publishes %s on host port %s", port, b.HostPort))
			}
		}
	}
	if r.MAC != nil {
		reasons = append(reasons, "it has the MAC address "+r.MAC.String())
	}
	for name, endpoint := range r.Networks {
		if ipam := endpoint.IPAMConfig; ipam != nil && (ipam.IPv4Address.IsValid() || ipam.IPv6Address.IsValid()) {
			reasons = append(reasons, "it has a fixed address in network "+name)
		}
	}
	slices.Sort(reasons)
	return reasons
}

// clone is a copy that shares nothing with r but the files' data.
func (r Recipe) clone() Recipe {
	r.Config = copied(r.Config)
	r.HostConfig = copied(r.HostConfig)
	networks := make(map[string]*network.EndpointSettings, len(r.Networks))
	for name, endpoint := range r.Networks {
		networks[name] = endpoint.Copy()
	}
	r.Networks = networks
	r.MAC = slices.Clone(r.MAC)
	r.Files = slices.Clone(r.Files)
	r.Origin = r.Origin.clone()
	return r
}

// copied is a deep copy of a part of the engine's API. Such a part was decoded
// from JSON, or is about to be encoded to it, so an error is a mistake in this
// package.
func copied[T any](v *T) *T {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("copying %T: %v", v, err))
	}
	var c T
	if err := json.Unmarshal(data, &c); err != nil {
		panic(fmt.Sprintf("copying %T: %v", v, err))
	}
	return &c
}
