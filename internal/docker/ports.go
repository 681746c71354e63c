package docker

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"
)

// ParsePorts reads the ports to publish, each as "docker run --publish" takes it:
//
//	[address:]host port:container port[/tcp]
//
// An IPv6 address is in brackets. GitLab is configured with the gateway's address,
// so a host port that the engine would choose is refused, and so is a range. The
// single word "none" publishes nothing. All mistakes are reported at once.
func ParsePorts(specs []string) (network.PortMap, error) {
	ports := make(network.PortMap)
	if len(specs) == 1 && specs[0] == "none" {
		return ports, nil
	}
	var mistakes []error
	seen := make(map[network.PortBinding]string)
	for _, spec := range specs {
		port, binding, err := parsePort(spec)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("port %q: %w; write it like 5052:5052 or 127.0.0.1:5052:5052", clean(spec, 60), err))
			continue
		}
		if _, twice := seen[binding]; twice {
			mistakes = append(mistakes, fmt.Errorf("port %q: host port %s is published twice", clean(spec, 60), binding.HostPort))
			continue
		}
		seen[binding] = spec
		ports[port] = append(ports[port], binding)
	}
	return ports, errors.Join(mistakes...)
}

func parsePort(spec string) (network.Port, network.PortBinding, error) {
	var none network.Port
	rest, proto, found := strings.Cut(spec, "/")
	if found && proto != "tcp" {
		return none, network.PortBinding{}, errors.New("the gateway speaks TCP only")
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return none, network.PortBinding{}, errors.New("the host port is missing")
	}
	inside, err := portNumber(rest[i+1:])
	if err != nil {
		return none, network.PortBinding{}, fmt.Errorf("container port: %w", err)
	}
	var binding network.PortBinding
	host := rest[:i]
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		if binding.HostIP, err = hostIP(host[:i]); err != nil {
			return none, network.PortBinding{}, err
		}
		host = host[i+1:]
	}
	outside, err := portNumber(host)
	if err != nil {
		return none, network.PortBinding{}, fmt.Errorf("host port: %w", err)
	}
	binding.HostPort = strconv.Itoa(int(outside))
	port, _ := network.PortFrom(inside, network.TCP)
	return port, binding, nil
}

func portNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || s[0] == '0' {
		return 0, errors.New("it is no number from 1 to 65535")
	}
	return uint16(n), nil
}

func hostIP(s string) (netip.Addr, error) {
	bare, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		bare, bracketed = strings.CutSuffix(bare, "]")
	}
	address, err := netip.ParseAddr(bare)
	switch {
	case err != nil, address.Zone() != "":
		return netip.Addr{}, errors.New("the host address is no IP address")
	case address.Is6() != bracketed:
		return netip.Addr{}, errors.New("an IPv6 address belongs in brackets, and only that")
	}
	return address, nil
}
