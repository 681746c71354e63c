package engine_test

import (
	"net/netip"
	"testing"

	"aigw-ci/internal/lab/engine"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

func (l *lab) network(name string, o client.NetworkCreateOptions) {
	l.t.Helper()
	if _, err := l.NetworkCreate(l.ctx(), name, o); err != nil {
		l.t.Fatal(err)
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.network("net", client.NetworkCreateOptions{Labels: map[string]string{"own": "1"}})
	_, err := l.NetworkCreate(l.ctx(), "net", client.NetworkCreateOptions{})
	wantError(t, err, "network with name net already exists")
	id, err := l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{
		Name: "one", Config: &container.Config{Image: "lab/server:1"}, HostConfig: &container.HostConfig{NetworkMode: "net"},
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"net": {Aliases: []string{"gateway"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"gateway"}, l.inspect("one").NetworkSettings.Networks["net"].Aliases); diff != "" {
		t.Errorf("aliases before the start (-want +got):\n%s", diff)
	}
	l.start("one")
	if diff := cmp.Diff([]string{"gateway", id.ID[:12]}, l.inspect("one").NetworkSettings.Networks["net"].Aliases); diff != "" {
		t.Errorf("aliases of the running container (-want +got):\n%s", diff)
	}
	_, err = l.NetworkRemove(l.ctx(), "net", client.NetworkRemoveOptions{})
	wantError(t, err, "network net id ", " has active endpoints")

	if _, err := l.NetworkConnect(l.ctx(), "bridge", client.NetworkConnectOptions{Container: "one"}); err != nil {
		t.Fatal(err)
	}
	_, err = l.NetworkConnect(l.ctx(), "bridge", client.NetworkConnectOptions{Container: "one"})
	wantError(t, err, "endpoint with name one already exists in network bridge")
	nets := l.inspect("one").NetworkSettings.Networks
	if len(nets) != 2 || nets["bridge"].IPAddress != nets["net"].IPAddress {
		t.Errorf("networks: %+v", nets)
	}
	seen, err := l.NetworkInspect(l.ctx(), "net", client.NetworkInspectOptions{})
	if err != nil || seen.Network.Containers[id.ID].Name != "one" || seen.Network.Labels["own"] != "1" {
		t.Errorf("network: %+v, error %v", seen.Network, err)
	}
	if _, err := l.NetworkDisconnect(l.ctx(), "net", client.NetworkDisconnectOptions{Container: "one"}); err != nil {
		t.Fatal(err)
	}
	_, err = l.NetworkDisconnect(l.ctx(), "net", client.NetworkDisconnectOptions{Container: "one"})
	wantError(t, err, "container "+id.ID+" is not connected to network net")
	if _, err = l.NetworkRemove(l.ctx(), "net", client.NetworkRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = l.NetworkInspect(l.ctx(), "net", client.NetworkInspectOptions{})
	wantError(t, err, "network net not found")
	_, err = l.NetworkRemove(l.ctx(), "bridge", client.NetworkRemoveOptions{})
	wantError(t, err, "bridge is a pre-defined network and cannot be removed")
	list, err := l.NetworkList(l.ctx(), client.NetworkListOptions{})
	if err != nil || len(list.Items) != 3 {
		t.Errorf("networks: %+v, error %v", list.Items, err)
	}
}

func TestAContainerWhoseNetworkIsGoneDoesNotStart(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", container.HostConfig{NetworkMode: "gone"})
	_, err := l.ContainerStart(l.ctx(), "one", client.ContainerStartOptions{})
	wantError(t, err, "network gone not found")
}

func TestAFixedAddressServesOneContainer(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.network("auto", client.NetworkCreateOptions{})
	l.network("net", client.NetworkCreateOptions{IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: netip.MustParsePrefix("10.9.0.0/24")}}}})
	fixed := &network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr("10.9.0.7")}}
	for _, name := range []string{"one", "two"} {
		if _, err := l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{
			Name: name, Config: &container.Config{Image: "lab/server:1"}, HostConfig: &container.HostConfig{NetworkMode: "net"},
			NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"net": fixed}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	l.start("one")
	_, err := l.ContainerStart(l.ctx(), "two", client.ContainerStartOptions{})
	wantError(t, err, "Address already in use")
	l.stop("one")
	l.start("two")
	if got := l.inspect("two").NetworkSettings.Networks["net"].IPAMConfig; got == nil || got.IPv4Address != fixed.IPAMConfig.IPv4Address {
		t.Errorf("the fixed address is shown as %+v", got)
	}
	for net, want := range map[string]string{
		"auto":   "user specified IP address is supported only when connecting to networks with user configured subnets",
		"bridge": "user specified IP address is supported on user defined networks only",
	} {
		_, err := l.NetworkConnect(l.ctx(), net, client.NetworkConnectOptions{Container: "one", EndpointConfig: fixed})
		wantError(t, err, want)
	}
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	made, err := l.VolumeCreate(l.ctx(), client.VolumeCreateOptions{Name: "vol", Labels: map[string]string{"x": "y"}})
	if err != nil || made.Volume.Name != "vol" || made.Volume.Driver != "local" {
		t.Fatalf("made %+v, error %v", made.Volume, err)
	}
	l.create("one", container.HostConfig{Binds: []string{"vol:/keep", "/etc:/host:ro", "/fresh"}})
	mounts := map[string]container.MountPoint{}
	for _, m := range l.inspect("one").Mounts {
		mounts[m.Destination] = m
	}
	if m := mounts["/keep"]; m.Name != "vol" || m.Source != made.Volume.Mountpoint || !m.RW {
		t.Errorf("named: %+v", m)
	}
	if m := mounts["/host"]; m.Type != "bind" || m.Source != "/etc" || m.RW || m.Mode != "ro" {
		t.Errorf("bind: %+v", m)
	}
	if len(mounts) != 4 || len(mounts["/fresh"].Name) != 64 || len(mounts["/data"].Name) != 64 {
		t.Errorf("mounts: %+v", mounts)
	}
	_, err = l.VolumeRemove(l.ctx(), "vol", client.VolumeRemoveOptions{})
	wantError(t, err, "remove vol: volume is in use - ["+l.inspect("one").ID+"]")
	l.create("two", container.HostConfig{VolumesFrom: []string{"one:ro"}})
	for _, m := range l.inspect("two").Mounts {
		if m.Source != mounts[m.Destination].Source || m.RW {
			t.Errorf("from another container: %+v", m)
		}
	}
	for _, name := range []string{"two", "one"} {
		if _, err := l.ContainerRemove(l.ctx(), name, client.ContainerRemoveOptions{RemoveVolumes: true}); err != nil {
			t.Fatal(err)
		}
	}
	left, err := l.VolumeList(l.ctx(), client.VolumeListOptions{})
	if err != nil || len(left.Items) != 1 || left.Items[0].Name != "vol" {
		t.Errorf("left: %+v, error %v", left.Items, err)
	}
	if _, err := l.VolumeRemove(l.ctx(), "vol", client.VolumeRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = l.VolumeInspect(l.ctx(), "vol", client.VolumeInspectOptions{})
	wantError(t, err, "get vol: no such volume")
	_, err = l.VolumeCreate(l.ctx(), client.VolumeCreateOptions{Name: "../up"})
	wantError(t, err, "includes invalid characters for a local volume name")
}
