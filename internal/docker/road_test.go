package docker

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// published is a container on one network with its port published at hostIP.
func published(hostIP string, ownIPs ...string) container.InspectResponse {
	c := container.InspectResponse{
		ID:         "1",
		Name:       "/gitlab-aigw",
		State:      &container.State{Running: true},
		HostConfig: &container.HostConfig{NetworkMode: "bridge"},
		NetworkSettings: &container.NetworkSettings{
			Ports:    network.PortMap{},
			Networks: map[string]*network.EndpointSettings{},
		},
	}
	if hostIP != "none" {
		ip, _ := netip.ParseAddr(hostIP)
		c.NetworkSettings.Ports[network.MustParsePort("5052/tcp")] = []network.PortBinding{{HostIP: ip, HostPort: "15052"}}
	}
	for i, ip := range ownIPs {
		c.NetworkSettings.Networks["net"+strconv.Itoa(i)] = &network.EndpointSettings{IPAddress: netip.MustParseAddr(ip)}
	}
	return c
}

func TestRoads(t *testing.T) {
	t.Parallel()
	onHost := vantage{scheme: "unix", onHost: true, own: []netip.Prefix{netip.MustParsePrefix("172.17.0.1/16")}}
	inContainer := vantage{scheme: "unix", router: netip.MustParseAddr("172.17.0.1"), own: []netip.Prefix{netip.MustParsePrefix("172.17.0.9/16")}}
	lost := vantage{scheme: "unix"}
	tcp := vantage{scheme: "tcp", host: "docker"}
	tunnelled := vantage{scheme: "ssh"}
	hostMode := published("none")
	hostMode.HostConfig.NetworkMode = "host"

	tests := []struct {
		name string
		from vantage
		c    container.InspectResponse
		live bool
		want string // addresses; ! where a refusal is the gateway's own
	}{
		{"host, published", onHost, published("0.0.0.0", "172.17.0.3"), true, "127.0.0.1:15052! 172.17.0.3:5052!"},
		{"host, published to one address", onHost, published("10.0.0.5", "172.17.0.3"), true, "10.0.0.5:15052! 172.17.0.3:5052!"},
		{"host, published on IPv6", onHost, published("::", "172.17.0.3"), true, "[::1]:15052! 172.17.0.3:5052!"},
		{"host, rehearsal", onHost, published("0.0.0.0", "172.17.0.3"), false, "172.17.0.3:5052!"},
		{"host, two networks", onHost, published("none", "172.17.0.3", "172.20.0.3"), true, "172.17.0.3:5052! 172.20.0.3:5052!"},
		{"host network", onHost, hostMode, true, "127.0.0.1:5052!"},
		{"in a container, published", inContainer, published("0.0.0.0", "172.17.0.3"), true, "172.17.0.1:15052 172.17.0.3:5052!"},
		{"in a container, published to loopback", inContainer, published("127.0.0.1", "172.17.0.3"), true, "172.17.0.3:5052!"},
		{"in a container, another network", inContainer, published("none", "172.20.0.3"), true, "172.20.0.3:5052"},
		{"in a container, host network", inContainer, hostMode, true, "172.17.0.1:5052"},
		{"somewhere, published", lost, published("0.0.0.0", "172.17.0.3"), true, "127.0.0.1:15052 172.17.0.3:5052"},
		{"tcp, published", tcp, published("0.0.0.0", "172.17.0.3"), true, "docker:15052"},
		{"tcp, published to loopback", tcp, published("127.0.0.1", "172.17.0.3"), true, ""},
		{"tcp, published to one address", tcp, published("10.0.0.5", "172.17.0.3"), true, "10.0.0.5:15052"},
		{"tcp, rehearsal", tcp, published("none", "172.17.0.3"), false, ""},
		{"tcp, host network", tcp, hostMode, true, "docker:5052"},
		{"ssh, published", tunnelled, published("0.0.0.0", "172.17.0.3"), true, "127.0.0.1:15052! 172.17.0.3:5052!"},
		{"ssh, rehearsal", tunnelled, published("none", "172.17.0.3"), false, "172.17.0.3:5052!"},
		{"no network", onHost, container.InspectResponse{}, true, ""},
	}
	for _, test := range tests {
		var got []string
		for _, r := range roads(test.from, test.c, 5052, test.live) {
			mark := ""
			if r.own {
				mark = "!"
			}
			got = append(got, r.Addr+mark)
		}
		if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestRoadIsProvenByAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	c := published("none")
	c.NetworkSettings.Ports[network.MustParsePort("5052/tcp")] = []network.PortBinding{{HostPort: port}}
	find := func(host string) (Road, error) {
		network := map[string]string{"Gateway": host}
		if strings.Contains(host, "/") { // as Engine 20.10 describes its default network
			network = map[string]string{"Subnet": host}
		}
		s := newStub()
		s.HandleFunc("GET /networks", func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusOK, []any{map[string]any{"IPAM": map[string]any{"Config": []any{network}}}})
		})
		return s.engine(t, nil).Road(t.Context(), c, 5052, true)
	}

	road, err := find("127.0.0.1") // an address of ours: we are on the engine's host
	if err != nil || road.Addr != "127.0.0.1:"+port || road.Dial != nil || road.Via != "published port" {
		t.Errorf("a gateway that listens: %+v, %v", road, err)
	}
	_ = listener.Close()
	if road, err = find("127.0.0.1"); err != nil || road.Addr != "127.0.0.1:"+port {
		t.Errorf("a gateway that still starts: %+v, %v", road, err)
	}
	if road, err = find("127.0.0.0/8"); err != nil || road.Addr != "127.0.0.1:"+port {
		t.Errorf("a network that does not name its gateway: %+v, %v", road, err)
	}
	// From anywhere else, a refused connection proves nothing.
	_, err = find("198.51.100.77")
	if err == nil || !strings.Contains(err.Error(), "published port 127.0.0.1:"+port) || !strings.Contains(err.Error(), "relay through the engine: ") {
		t.Errorf("no road: error %v, want one that lists what was tried", err)
	}
	if strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error %q", err)
	}

	c.State.Running = false
	if _, err := newStub().engine(t, nil).Road(t.Context(), c, 5052, true); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("a stopped gateway: %v", err)
	}
}

func TestDefaultRouter(t *testing.T) {
	t.Parallel()
	const table = "Iface\tDestination\tGateway\tFlags\n" +
		"eth0\t000011AC\t00000000\t0001\n" +
		"eth0\t00000000\t010011AC\t0003\n"
	for in, want := range map[string]string{
		table:                            "172.17.0.1",
		"":                               "invalid IP",
		"eth0\t00000000\tzz":             "invalid IP",
		"eth0\t00000000\t00000000 rest":  "invalid IP",
		"eth0 00000000 010011AC010011AC": "invalid IP",
	} {
		if got := defaultRouter(strings.NewReader(in)).String(); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
