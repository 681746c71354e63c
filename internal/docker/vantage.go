package docker

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/moby/moby/client"
)

// vantage is where this process stands in the network, seen from the engine.
type vantage struct {
	scheme string // how the engine is reached: "unix", "tcp" or "ssh"
	host   string // tcp: the engine's host

	// onHost: this process shares the network of the engine's host, so an address
	// of the host's is ours, and a refused connection was refused by the gateway.
	onHost bool
	own    []netip.Prefix // our interfaces' addresses

	// router is the engine's host as a container on one of the engine's networks
	// sees it; invalid when this process is in no such container.
	router netip.Addr
}

// vantage finds out where this process stands: it owns the address of one of the
// engine's networks, then it shares the host's network; or its default gateway is
// such an address, then it is in a container on that network. What cannot be read
// is left empty, and costs only certainty.
func (e *Engine) vantage(ctx context.Context) vantage {
	v := vantage{scheme: e.host.Scheme, host: e.host.Host}
	if v.scheme != "unix" {
		return v // the same addresses on another machine would mean nothing
	}
	v.own = ownAddresses()
	var router netip.Addr
	if file, err := os.Open("/proc/net/route"); err == nil {
		router = defaultRouter(io.LimitReader(file, 1<<20))
		_ = file.Close()
	}
	for _, addr := range e.hostAddresses(ctx) {
		v.onHost = v.onHost || v.owns(addr)
		if addr == router {
			v.router = router
		}
	}
	return v
}

// hostAddresses are the addresses that the engine's host has on the engine's
// networks. Where an engine does not say (20.10 for its default network), it is the
// first of the subnet, which is the one the engine takes by itself.
func (e *Engine) hostAddresses(ctx context.Context) []netip.Addr {
	networks, err := e.api.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return nil
	}
	var found []netip.Addr
	for _, n := range networks.Items {
		for _, config := range n.IPAM.Config {
			switch {
			case config.Gateway.IsValid():
				found = append(found, config.Gateway)
			case config.Subnet.IsValid():
				found = append(found, config.Subnet.Masked().Addr().Next())
			}
		}
	}
	return found
}

// owns reports whether addr is ours. Of loopback all of 127.0.0.0/8 is, on Linux;
// an engine that has its networks there is a stand-in.
func (v vantage) owns(addr netip.Addr) bool {
	for _, own := range v.own {
		if own.Addr() == addr || own.Addr().IsLoopback() && own.Contains(addr) {
			return addr.IsValid()
		}
	}
	return false
}

// beside reports whether addr is in a network that one of our interfaces is in.
func (v vantage) beside(addr netip.Addr) bool {
	for _, own := range v.own {
		if !own.Addr().IsLoopback() && own.Contains(addr) {
			return true
		}
	}
	return false
}

func ownAddresses() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var own []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p)
		}
	}
	return own
}

// defaultRouter reads the IPv4 default gateway from Linux's routing table: lines of
// interface, destination, gateway, ... with addresses in hexadecimal, in the byte
// order of the machine, which is little-endian on every machine an engine is
// documented for but s390x. Source: proc(5), /proc/net/route.
func defaultRouter(table io.Reader) netip.Addr {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[1] != "00000000" {
			continue
		}
		raw, err := hex.DecodeString(fields[2])
		if err != nil || len(raw) != 4 {
			continue
		}
		var addr [4]byte
		binary.NativeEndian.PutUint32(addr[:], binary.BigEndian.Uint32(raw))
		if a := netip.AddrFrom4(addr); !a.IsUnspecified() {
			return a
		}
	}
	return netip.Addr{}
}
