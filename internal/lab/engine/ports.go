package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/network"
)

// publish makes a container's host ports answer, before its program runs.
func (e *Engine) publish(c *instance) (proxies []*proxy, ports portMap, err error) {
	e.mu.Lock()
	name, wanted := c.name, e.portsOf(c)
	e.mu.Unlock()
	defer func() {
		if err != nil {
			closeProxies(proxies)
		}
	}()
	ports = portMap{}
	for port, bindings := range wanted {
		ports[port] = nil
		for _, b := range bindings {
			if port.Proto() != network.TCP {
				ports[port] = append(ports[port], b) // shown, not served
				continue
			}
			p, err := e.bind(c, name, port, b)
			if err != nil {
				return proxies, nil, err
			}
			proxies = append(proxies, p)
			b.HostPort = strconv.Itoa(int(p.port()))
			ports[port] = append(ports[port], shownBindings(b)...)
		}
	}
	return proxies, ports, nil
}

// portsOf are the ports to publish and those that are exposed only. e.mu is held.
func (e *Engine) portsOf(c *instance) portMap {
	out := portMap{}
	if c.host.NetworkMode.IsHost() || c.host.NetworkMode.IsNone() || c.host.NetworkMode.IsContainer() {
		return out
	}
	for port := range c.config.ExposedPorts {
		out[port] = nil
		if c.host.PublishAllPorts {
			out[port] = []network.PortBinding{{}}
		}
	}
	for port, bindings := range c.host.PortBindings {
		out[port] = bindings
	}
	return out
}

// shownBindings is a binding as inspect shows it: one without an address stands
// for both IP versions.
func shownBindings(b network.PortBinding) []network.PortBinding {
	if b.HostIP.IsValid() {
		return []network.PortBinding{b}
	}
	v4, v6 := b, b
	v4.HostIP, v6.HostIP = netip.IPv4Unspecified(), netip.IPv6Unspecified()
	return []network.PortBinding{v4, v6}
}

// bind starts one proxy, or says what Docker says when the port is taken.
func (e *Engine) bind(c *instance, name string, port network.Port, b network.PortBinding) (*proxy, error) {
	shown, served := b.HostIP, b.HostIP
	if !shown.IsValid() {
		shown = netip.IPv4Unspecified()
	}
	if shown.IsUnspecified() {
		served = netip.AddrFrom4([4]byte{127, 0, 0, 1}) // a lab is not to be reached from elsewhere
	}
	if b.HostPort == "" {
		b.HostPort = "0"
	}
	if n, err := strconv.ParseUint(b.HostPort, 10, 16); err != nil || strconv.FormatUint(n, 10) != b.HostPort {
		return nil, fmt.Errorf("invalid port specification: %q", b.HostPort)
	}
	var cause string
	at := net.JoinHostPort(shown.String(), b.HostPort)
	if served.IsLoopback() {
		l, err := listen(net.JoinHostPort(served.String(), b.HostPort))
		if err == nil {
			return newProxy(e.life, l, net.JoinHostPort(c.addr.String(), strconv.Itoa(int(port.Num())))), nil
		}
		cause = fmt.Sprintf("Error starting userland proxy: listen tcp4 %s: %s", at, systemError(err))
		if errors.Is(err, syscall.EADDRINUSE) && e.publishes(c, served, b.HostPort) {
			cause = fmt.Sprintf("Bind for %s failed: port is already allocated", at)
		}
	} else {
		cause = fmt.Sprintf("Error starting userland proxy: listen tcp4 %s: bind: cannot assign requested address", at)
	}
	e.mu.Lock()
	id := e.newID()
	e.mu.Unlock()
	return nil, fmt.Errorf("driver failed programming external connectivity on endpoint %s (%s): %s", name, id, cause)
}

// listen opens a port, also one that was closed a moment ago: a process that is
// being forked at that moment has a copy of it until it calls exec.
func listen(addr string) (l net.Listener, err error) {
	for range 20 {
		if l, err = net.Listen("tcp", addr); !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return l, err
}

// systemError is the part of a network error that the kernel said: "bind:
// address already in use".
func systemError(err error) string {
	if s := (*os.SyscallError)(nil); errors.As(err, &s) {
		return s.Error()
	}
	return err.Error()
}

// publishes says whether a container of this engine other than c has a port.
func (e *Engine) publishes(c *instance, served netip.Addr, port string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, other := range e.containers {
		if other == c || other.run == nil {
			continue
		}
		for _, p := range other.run.proxies {
			if strings.EqualFold(p.listener.Addr().String(), net.JoinHostPort(served.String(), port)) {
				return true
			}
		}
	}
	return false
}

func portNumber(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
