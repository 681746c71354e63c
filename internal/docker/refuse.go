package docker

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

// refusals are reasons why a container cannot be made again as it is. They are
// found before anything is changed.
func refusals(from Source) Findings {
	var found Findings
	c := from.Container
	host := c.HostConfig

	if from.Image == nil {
		found.refuse("its image %s is no longer on the engine, so what the user set cannot be told from what the image provides: docker pull %s",
			clean(c.Image, 80), clean(c.Config.Image, 300))
	}
	if host.AutoRemove {
		found.refuse("it was started with --rm: the engine deletes it as soon as it stops, so there would be nothing to go back to; start it again without --rm")
	}
	if host.NetworkMode.IsContainer() {
		found.refuse("it uses the network of another container (%s), which must be started before it and cannot be shared by two gateways; give it a network of its own",
			clean(string(host.NetworkMode), 100))
	}
	if task := c.Config.Labels["com.docker.swarm.service.name"]; task != "" || c.Config.Labels["com.docker.swarm.task.id"] != "" {
		found.refuse("it is a task of the swarm service %q, which would start another one in its place: docker service update --image %s %s",
			clean(task, 100), from.Reference, clean(task, 100))
	}
	for _, name := range c.Unknown {
		found.refuse("its setting %s is unknown to this version of aigw-ci and would be lost; use a newer aigw-ci, or start the container without it", clean(name, 200))
	}
	refuseNetworks(&found, from)
	refuseVolumes(&found, from)
	refuseDependants(&found, from)
	return found
}

func refuseNetworks(found *Findings, from Source) {
	c := from.Container
	mode := c.HostConfig.NetworkMode
	if mode.IsContainer() {
		return
	}
	if _, primary := primaryEndpoint(mode, c.NetworkSettings.Networks); primary == nil && !c.Config.NetworkDisabled {
		found.refuse("it was disconnected from %s, the network it was made on: docker network connect %s %s",
			clean(string(mode), 100), clean(networkName(string(mode)), 100), strings.TrimPrefix(c.Name, "/"))
	}
	// Up to API 1.43 the address is part of Config, where the client library has no
	// place for it any more.
	if mac := ownMAC(c); mac != nil && olderThan(from.API, 44) {
		found.refuse("it has the MAC address %s of the user's choice, which this engine (API %s) takes only in a way aigw-ci does not speak; upgrade the engine to Docker 25, or start the container without it",
			mac, clean(from.API, 20))
	}
}

func networkName(mode string) string {
	if mode == "" || mode == network.NetworkDefault {
		return network.NetworkBridge
	}
	return mode
}

// olderThan reports whether an API version "1.N" has a smaller N.
func olderThan(api string, minor int) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(api, "1."))
	return err == nil && n < minor
}

func refuseVolumes(found *Findings, from Source) {
	c := from.Container
	for _, source := range c.HostConfig.VolumesFrom {
		name, _, _ := strings.Cut(source, ":")
		if !slices.ContainsFunc(from.Others, func(o Inspected) bool { return o.goesBy(name) }) {
			found.refuse("it takes its volumes from container %q, which is gone; mount them by name instead", clean(name, 100))
		}
	}
	r := settled(c)
	for _, p := range c.Mounts {
		switch {
		case p.Type == mount.TypeVolume, len(c.HostConfig.VolumesFrom) > 0, attach(r.HostConfig, p):
		case r.HostConfig.Tmpfs[p.Destination] != "" || p.Type == mount.TypeTmpfs:
		default:
			found.refuse("it has a mount at %s (%s) that its settings do not explain", clean(p.Destination, 300), clean(string(p.Type), 20))
		}
	}
}

// refuseDependants finds containers that share a namespace with this one, or link
// to it. They hold on to the container, not to its name: they would stay with the
// old one.
func refuseDependants(found *Findings, from Source) {
	c := from.Container
	var reasons []string
	for _, o := range from.Others {
		h := o.HostConfig
		for _, mode := range []struct{ what, value string }{
			{"network", string(h.NetworkMode)},
			{"IPC namespace", string(h.IpcMode)},
			{"PID namespace", string(h.PidMode)},
			{"cgroup", string(h.Cgroup)},
		} {
			if parent, ok := strings.CutPrefix(mode.value, "container:"); ok && c.goesBy(parent) {
				reasons = append(reasons, "container "+o.label()+" uses its "+mode.what+": remove that container first, and start it again afterwards")
			}
		}
		for _, link := range h.Links {
			if name, _, _ := strings.Cut(ownLink(link), ":"); c.goesBy(name) {
				reasons = append(reasons, "container "+o.label()+" is linked to it (--link): put both on a network of their own instead")
			}
		}
	}
	slices.Sort(reasons)
	for _, reason := range slices.Compact(reasons) {
		found.refuse("%s", reason)
	}
}

// goesBy reports whether the container is meant by a name, an ID or the beginning
// of an ID.
func (in Inspected) goesBy(name string) bool {
	name = strings.TrimPrefix(name, "/")
	return name != "" && (name == strings.TrimPrefix(in.Name, "/") || len(name) >= shortID && strings.HasPrefix(in.ID, name))
}

func (in Inspected) label() string {
	return clean(cmp.Or(strings.TrimPrefix(in.Name, "/"), in.ID), 100)
}

func comparePorts(a, b network.Port) int {
	return cmp.Or(cmp.Compare(a.Num(), b.Num()), cmp.Compare(a.Proto(), b.Proto()))
}
