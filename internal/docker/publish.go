package docker

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/version"
)

// Publish opens the port of the Agent Platform beside the HTTP port, on the same
// addresses of the host, when an upgrade crosses to the first line that serves it.
// A container of a later line that does not publish it is left as its user made it.
//
// A host port that another container has is not asked for: the engine would not
// start the gateway.
func (r *Recipe) Publish(from, to version.Line, others []Inspected) Findings {
	var found Findings
	needs := gateway.For(to)
	if service, set := r.lookup("ENABLE_DUO_WORKFLOW_SERVICE"); needs.GRPCPort == 0 || set && !gateway.IsTrue(service) {
		return found
	}
	grpc, http := r.port("PORT", needs.GRPCPort), r.port("AIGW_FASTAPI__API_PORT", needs.HTTPPort)
	users := r.HostConfig.PortBindings[http]
	if _, published := r.HostConfig.PortBindings[grpc]; published || len(r.HostConfig.PortBindings) == 0 {
		return found
	}
	crosses := from != (version.Line{}) && gateway.For(from).GRPCPort == 0
	if !crosses || len(users) == 0 {
		found.tell("the container does not publish port "+grpc.Port()+", and its ports are kept as they are", gateway.AgentPlatformUnpublished)
		return found
	}

	var bindings []network.PortBinding
	for _, user := range users {
		b := network.PortBinding{HostIP: user.HostIP, HostPort: grpc.Port()}
		if user.HostPort == "" || user.HostPort == "0" { // any port will do
			b.HostPort = user.HostPort
		}
		if owner := r.owner(b, others); owner != "" {
			found.tell("port "+b.HostPort+" of the host is not published, because "+owner+" has it", gateway.AgentPlatformUnpublished)
			return found
		}
		if !slices.Contains(bindings, b) {
			bindings = append(bindings, b)
		}
	}
	r.HostConfig.PortBindings[grpc] = bindings
	if r.Config.ExposedPorts == nil {
		r.Config.ExposedPorts = make(network.PortSet)
	}
	r.Config.ExposedPorts[grpc] = struct{}{}
	found.note("port %s will be published, on the same addresses as port %s: gateways of GitLab 18.4 and later serve the GitLab Duo Agent Platform there; ENABLE_DUO_WORKFLOW_SERVICE=false in gateway.environment turns that service off, and keeps the port closed",
		grpc.Port(), http.Port())
	return found
}

// port is where the gateway listens inside its container.
func (r *Recipe) port(variable string, otherwise int) network.Port {
	value, _ := r.lookup(variable)
	port, _ := network.ParsePort(strconv.Itoa(gateway.PortOr(value, otherwise)) + "/tcp") // a number from 1 to 65535
	return port
}

// owner is who has a host port; empty when no container has.
func (r *Recipe) owner(wanted network.PortBinding, others []Inspected) string {
	takes := func(ports network.PortMap) bool {
		for _, bindings := range ports {
			if slices.ContainsFunc(bindings, func(b network.PortBinding) bool { return collide(b, wanted) }) {
				return true
			}
		}
		return false
	}
	if takes(r.HostConfig.PortBindings) {
		return "the gateway itself, for another port,"
	}
	for _, o := range others {
		if takes(o.HostConfig.PortBindings) {
			return "container " + strings.TrimPrefix(o.label(), "/")
		}
	}
	return ""
}

// collide reports whether two bindings want the same port of the host.
func collide(a, b network.PortBinding) bool {
	if a.HostPort != b.HostPort || a.HostPort == "" || a.HostPort == "0" {
		return false
	}
	anywhere := func(ip netip.Addr) bool { return !ip.IsValid() || ip.IsUnspecified() }
	return anywhere(a.HostIP) || anywhere(b.HostIP) || a.HostIP == b.HostIP
}
