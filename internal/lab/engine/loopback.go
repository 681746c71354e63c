package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// loopback is the part of 127.77.0.0/16 that one engine hands out to its
// containers: 127.77.x.2 to 127.77.x.254.
type loopback struct {
	third byte
	claim net.Listener
}

// claimPort marks 127.77.x.1 as taken. Any number would do; what counts is that
// the kernel lets one process have it, and takes it back when that one dies.
const claimPort = "7700"

// claimLoopback takes the first x that no other engine on this machine has, so
// that the programs of two engines never meet on one address.
func claimLoopback() (loopback, error) {
	var first error
	for x := byte(1); x < 255; x++ {
		l, err := net.Listen("tcp4", net.JoinHostPort(address(x, 1).String(), claimPort))
		if err == nil {
			return loopback{third: x, claim: l}, nil
		}
		if first == nil {
			first = err
		}
	}
	return loopback{}, fmt.Errorf("taking loopback addresses for containers: %w; the stand-in engine needs Linux", first)
}

func (l loopback) release() error {
	if l.claim == nil {
		return nil
	}
	return l.claim.Close()
}

func (l loopback) gateway() netip.Addr { return address(l.third, 1) }

func (l loopback) subnet() netip.Prefix { return netip.PrefixFrom(address(l.third, 0), 24) }

// next is the lowest address that is not taken.
func (l loopback) next(taken map[netip.Addr]bool) (netip.Addr, error) {
	for y := byte(2); y < 255; y++ {
		if a := address(l.third, y); !taken[a] {
			return a, nil
		}
	}
	return netip.Addr{}, errors.New("no available IPv4 addresses on this network's address pools")
}

func address(x, y byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 77, x, y}) }

// mac is the hardware address Docker derives from an IPv4 address.
func mac(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}
