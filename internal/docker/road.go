package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"golang.org/x/crypto/ssh"
)

// roadTimeout is how long a road may take to prove itself. Roads lie within one
// host or one site.
const roadTimeout = 2 * time.Second

// Road is a way to one port of a container.
type Road struct {
	Addr string // host:port, as it goes into a URL
	Via  string // in words: "published port", "container address", "relay through the engine"

	// Dial opens connections on this road; nil is plain TCP from here.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// lasting is set where the address is the place's and outlives the container.
	lasting bool
	// own is set where nobody but the gateway's host or the gateway itself can
	// answer: a refused connection then proves the road, not its absence.
	own bool
	// patience is how long a connection may take; 0 is roadTimeout.
	patience time.Duration
}

// Road finds a way to a port of a container, trying in this order: the published
// port when published is set, the container's own address, and a relay through
// the engine. A road is good when a connection succeeds, and also when it is
// refused by the gateway itself, as it is while a gateway starts. The error of a
// search without success lists what was tried.
func (e *Engine) Road(ctx context.Context, c container.InspectResponse, port int, published bool) (Road, error) {
	name := strings.TrimPrefix(c.Name, "/")
	if c.State == nil || !c.State.Running {
		return Road{}, fmt.Errorf("no road to port %d of %s: the container does not run", port, name)
	}
	var tried []string
	var refused *Road
	for _, r := range e.withDialers(roads(e.vantage(ctx), c, port, published)) {
		err := r.probe(ctx)
		switch {
		case err == nil:
			return r, nil
		case ctx.Err() != nil:
			return Road{}, fmt.Errorf("looking for a road to port %d of %s: %w", port, name, ctx.Err())
		case r.own && isRefused(err) && refused == nil:
			refused = &r
		}
		tried = append(tried, fmt.Sprintf("%s %s: %s", r.Via, r.Addr, clean(err.Error(), 200)))
	}
	if refused != nil {
		return *refused, nil
	}
	relay := e.relayRoad(c.ID, name, port)
	err := relay.probe(ctx)
	if err == nil || isRefused(err) {
		return relay, nil
	}
	tried = append(tried, fmt.Sprintf("%s: %s", relay.Via, clean(err.Error(), 400)))
	return Road{}, fmt.Errorf("no road from here to port %d of %s:\n  - %s", port, name, strings.Join(tried, "\n  - "))
}

// roads are the direct ways there could be, best first. It contacts nobody.
func roads(v vantage, c container.InspectResponse, port int, published bool) []Road {
	var found []Road
	add := func(r Road) {
		if !slices.ContainsFunc(found, func(old Road) bool { return old.Addr == r.Addr }) {
			found = append(found, r)
		}
	}
	if c.HostConfig != nil && c.HostConfig.NetworkMode.IsHost() {
		for _, r := range v.toHost(netip.Addr{}, strconv.Itoa(port)) {
			r.Via = "host network" + r.Via
			r.lasting = true
			add(r)
		}
		return found
	}
	if c.NetworkSettings == nil {
		return nil
	}
	if inside, ok := network.PortFrom(uint16(port), network.TCP); ok && published {
		for _, b := range c.NetworkSettings.Ports[inside] {
			for _, r := range v.toHost(b.HostIP, b.HostPort) {
				r.Via = "published port" + r.Via
				r.lasting = true
				add(r)
			}
		}
	}
	for _, addr := range addresses(c) {
		if r, ok := v.toContainer(addr, strconv.Itoa(port)); ok {
			add(r)
		}
	}
	return found
}

// addresses are the container's own, in the order of its networks' names.
func addresses(c container.InspectResponse) []netip.Addr {
	var names []string
	for name := range c.NetworkSettings.Networks {
		names = append(names, name)
	}
	slices.Sort(names)
	var found []netip.Addr
	for _, name := range names {
		if n := c.NetworkSettings.Networks[name]; n != nil && n.IPAddress.IsValid() {
			found = append(found, n.IPAddress)
		}
	}
	return found
}

// toHost are the ways to a port of the engine's host that is bound to ip; an
// invalid or unspecified ip is bound to all of the host's addresses.
func (v vantage) toHost(ip netip.Addr, port string) []Road {
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil
	}
	loopback := "127.0.0.1"
	if ip.IsValid() && ip.IsUnspecified() && ip.Is6() {
		loopback = "::1"
	}
	all := !ip.IsValid() || ip.IsUnspecified()
	local := loopback // the address as the engine's host itself sees it
	if !all {
		local = ip.String()
	}
	switch {
	case v.scheme == "ssh":
		return []Road{{Addr: net.JoinHostPort(local, port), Via: " through ssh", own: true}}
	case v.scheme == "tcp" && all:
		return []Road{{Addr: net.JoinHostPort(v.host, port), Via: " of the engine's host"}}
	case v.scheme == "tcp" && ip.IsLoopback() && !isLoopback(v.host):
		return nil // nobody but the engine's host gets there
	case v.scheme == "tcp" || v.onHost:
		return []Road{{Addr: net.JoinHostPort(local, port), own: v.onHost}}
	case v.router.IsValid() && all:
		// In a container on the engine's host: our own loopback is not the host's.
		return []Road{{Addr: net.JoinHostPort(v.router.String(), port), Via: " of the host this container is on"}}
	case v.router.IsValid() && ip.IsLoopback():
		return nil
	}
	return []Road{{Addr: net.JoinHostPort(local, port)}}
}

// toContainer is the way to a container's own address, which leads somewhere else
// or nowhere from another machine.
func (v vantage) toContainer(addr netip.Addr, port string) (Road, bool) {
	r := Road{Addr: net.JoinHostPort(addr.String(), port), Via: "container address"}
	switch v.scheme {
	case "ssh":
		r.Via += " through ssh"
		r.own = true
	case "unix":
		r.own = v.onHost || v.beside(addr)
	default:
		return Road{}, false
	}
	return r, true
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// withDialers sends roads through SSH where the engine is behind it.
func (e *Engine) withDialers(found []Road) []Road {
	if e.tunnel != nil {
		for i := range found {
			found[i].Dial = e.tunnel.dial
			found[i].patience = dialTimeout
		}
	}
	return found
}

// relayRoad is the last road. It needs patience: this program may have to be
// copied to the engine first.
func (e *Engine) relayRoad(id, name string, port int) Road {
	return Road{
		Addr:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Via:      "relay through the engine",
		Dial:     func(ctx context.Context, _, addr string) (net.Conn, error) { return e.dialRelay(ctx, id, name, addr) },
		own:      true,
		patience: time.Minute,
	}
}

// probe opens one connection and closes it again.
func (r Road) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.patience, roadTimeout))
	defer cancel()
	dial := r.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", r.Addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// isRefused reports whether the other side answered that nobody listens. An SSH
// server only says so in words.
func isRefused(err error) bool {
	var open *ssh.OpenChannelError
	if errors.As(err, &open) {
		return open.Reason == ssh.ConnectionFailed && strings.Contains(strings.ToLower(open.Message), "refused")
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
