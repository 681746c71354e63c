package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// connect lays the cable between this machine and the node, whose namespace is that of
// a process: a pair of devices, of which this machine keeps one, and gives the address
// and the way to the Services to it. All of it ends with the namespace.
func connect(process int) error {
	if err := free(); err != nil {
		return err
	}
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: link, PeerNamespace: netlink.NsPid(process)}
	pair.Name = link
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("adding the device %s: %w", link, err)
	}
	if err := raise(link, machineAddress); err != nil {
		return err
	}
	_, services, err := net.ParseCIDR(serviceNetwork)
	if err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{Dst: services, Gw: net.ParseIP(nodeAddress)}); err != nil {
		return fmt.Errorf("adding the route to %s: %w", services, err)
	}
	return nil
}

// free refuses to start where the cluster's addresses are in use, by whatever else.
func free() error {
	for _, address := range []string{nodeAddress, serviceAPI} {
		routes, err := netlink.RouteGet(net.ParseIP(address))
		if errors.Is(err, unix.ENETUNREACH) {
			continue
		}
		if err != nil {
			return fmt.Errorf("looking for the route to %s: %w", address, err)
		}
		for _, r := range routes {
			if r.Gw != nil { // the way to everywhere, and so to nowhere near
				continue
			}
			return fmt.Errorf("%s is in use: this machine reaches it directly\nthe cluster needs %s and %s for itself", address, podNetwork, serviceNetwork)
		}
	}
	return nil
}

// bridgeMAC is the node's address on the cable, locally administered. A bridge without
// one of its own takes the lowest of its ports', and so another one whenever the pod
// that lent it goes: this machine would send to the old one until its neighbour table
// is refreshed, for half a minute and more.
var bridgeMAC = net.HardwareAddr{0x02, 0x61, 0x69, 0x67, 0x77, 0x00}

// plug does the node's part, in the node's namespace: a bridge for the pods, and the
// cable in it.
func plug() error {
	attributes := netlink.LinkAttrs{Name: bridge, HardwareAddr: bridgeMAC}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attributes}); err != nil {
		return fmt.Errorf("adding the bridge %s: %w", bridge, err)
	}
	if err := raise(bridge, nodeAddress); err != nil {
		return err
	}
	cable, err := netlink.LinkByName(link)
	if err != nil {
		return fmt.Errorf("finding the device %s: %w", link, err)
	}
	master, err := netlink.LinkByName(bridge)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMaster(cable, master); err != nil {
		return fmt.Errorf("plugging %s into %s: %w", link, bridge, err)
	}
	if err := raise(link, ""); err != nil {
		return err
	}
	return raise("lo", "")
}

// raise gives a device an address, unless that is "", and turns it on.
func raise(name, address string) error {
	device, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding the device %s: %w", name, err)
	}
	if address != "" {
		parsed, err := netlink.ParseAddr(address + "/24")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(device, parsed); err != nil {
			return fmt.Errorf("giving %s the address %s: %w", name, address, err)
		}
	}
	if err := netlink.LinkSetUp(device); err != nil {
		return fmt.Errorf("turning %s on: %w", name, err)
	}
	return nil
}

// disconnect waits until the kernel has taken the cable away, which it does a moment
// after the namespace at its other end is gone, and helps it after a while.
func disconnect() {
	for range 50 {
		device, err := netlink.LinkByName(link)
		if err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
		_ = netlink.LinkDel(device)
	}
}
