package engine

import (
	"cmp"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/storage"
)

// containerJSON is a container as API 1.41 shows it: container.InspectResponse
// with the fields that newer versions dropped.
type containerJSON struct {
	container.InspectResponse
	State           *container.State
	HostConfig      hostJSON
	Config          configJSON
	NetworkSettings networkSettings
}

type hostJSON struct {
	*container.HostConfig
	KernelMemory    int64
	KernelMemoryTCP int64
}

type configJSON struct {
	*container.Config
	OnBuild    []string
	MacAddress string `json:",omitempty"`
}

type networkSettings struct {
	Bridge, SandboxID, SandboxKey                string
	HairpinMode                                  bool
	LinkLocalIPv6Address                         string
	LinkLocalIPv6PrefixLen                       int
	Ports                                        portMap
	SecondaryIPAddresses, SecondaryIPv6Addresses []string
	EndpointID, Gateway, IPAddress, IPv6Gateway  string
	GlobalIPv6Address, MacAddress                string
	GlobalIPv6PrefixLen, IPPrefixLen             int
	Networks                                     map[string]endpointJSON
}

type endpointJSON struct {
	IPAMConfig          *network.EndpointIPAMConfig
	Links, Aliases      []string
	NetworkID           string
	EndpointID          string
	Gateway, IPAddress  string
	IPPrefixLen         int
	IPv6Gateway         string
	GlobalIPv6Address   string
	GlobalIPv6PrefixLen int
	MacAddress          string
	DriverOpts          map[string]string
}

func (e *Engine) inspectContainer(w http.ResponseWriter, r *http.Request) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(r.PathValue("id"))
	if err != nil {
		return err
	}
	program, args := c.path()
	out := containerJSON{
		InspectResponse: container.InspectResponse{
			ID: c.id, Created: timestamp(c.created), Path: program, Args: args, Image: c.image, Name: "/" + c.name,
			RestartCount: c.restarts, Driver: graphDriver, Platform: c.platform,
			GraphDriver: &storage.DriverData{Name: graphDriver, Data: map[string]string{"MergedDir": c.rootDir()}},
			Mounts:      mountPoints(c),
		},
		State:           showState(c),
		HostConfig:      hostJSON{HostConfig: &c.host},
		Config:          configJSON{&c.config, c.config.OnBuild, c.macAddress},
		NetworkSettings: e.showNetworks(c),
	}
	if c.prepared {
		out.LogPath = filepath.Join(c.dir, c.id+"-json.log")
		out.HostnamePath, out.HostsPath, out.ResolvConfPath = "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"
	}
	return writeJSON(w, http.StatusOK, out)
}

func showState(c *instance) *container.State {
	s := c.state
	out := &container.State{
		Status: s.status, Running: c.running(), Restarting: s.status == container.StateRestarting,
		Pid: s.pid, ExitCode: s.exitCode, Error: s.err,
		StartedAt: timestamp(s.started), FinishedAt: timestamp(s.finished),
	}
	if hc := c.config.Healthcheck; hc != nil && len(hc.Test) > 0 && hc.Test[0] != "NONE" && c.startedBefore {
		out.Health = &container.Health{Status: container.Starting, Log: []*container.HealthcheckResult{}}
	}
	return out
}

// timestamp is a time as the API writes it; the zero time is "0001-01-01T00:00:00Z".
func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func mountPoints(c *instance) []container.MountPoint {
	out := make([]container.MountPoint, 0, len(c.mounts))
	for _, m := range c.mounts {
		out = append(out, m.MountPoint)
	}
	return out
}

// showNetworks is NetworkSettings: with addresses only while the container
// runs. e.mu is held.
func (e *Engine) showNetworks(c *instance) networkSettings {
	out := networkSettings{Ports: portMap{}, Networks: map[string]endpointJSON{}}
	if c.prepared {
		out.SandboxID = c.id
		out.SandboxKey = "/var/run/docker/netns/" + short(c.id)
	}
	if c.ports != nil {
		out.Ports = c.ports
	}
	for name, ep := range c.endpoints {
		out.Networks[name] = e.showEndpoint(c, name, ep)
	}
	// The default network's values are shown a second time at the top.
	if b, ok := out.Networks["bridge"]; ok {
		out.EndpointID, out.Gateway, out.IPAddress = b.EndpointID, b.Gateway, b.IPAddress
		out.IPPrefixLen, out.MacAddress = b.IPPrefixLen, b.MacAddress
	}
	return out
}

func (e *Engine) showEndpoint(c *instance, name string, ep *endpoint) endpointJSON {
	out := endpointJSON{
		IPAMConfig: ep.given.IPAMConfig, Links: ep.given.Links, Aliases: ep.given.Aliases, DriverOpts: ep.given.DriverOpts,
		NetworkID: ep.network, EndpointID: ep.id,
	}
	if ep.id != "" && name != "host" && name != "none" {
		out.Gateway, out.IPAddress = e.net.gateway().String(), c.addr.String()
		out.IPPrefixLen, out.MacAddress = e.net.subnet().Bits(), mac(c.addr)
	}
	return out
}

// portMap is NetworkSettings.Ports: null for a port that is exposed only.
type portMap map[network.Port][]network.PortBinding

// summaries lists ports as the container list shows them.
func (p portMap) summaries() []container.PortSummary {
	out := []container.PortSummary{}
	for port, bindings := range p {
		s := container.PortSummary{PrivatePort: port.Num(), Type: string(port.Proto())}
		if len(bindings) == 0 {
			out = append(out, s)
		}
		for _, b := range bindings {
			s.IP, s.PublicPort = b.HostIP, portNumber(b.HostPort)
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b container.PortSummary) int {
		return cmp.Or(cmp.Compare(a.PrivatePort, b.PrivatePort), a.IP.Compare(b.IP))
	})
	return out
}
