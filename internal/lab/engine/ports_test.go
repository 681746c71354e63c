package engine_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"aigw-ci/internal/lab/engine"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

var port8080 = network.MustParsePort("8080/tcp")

func publish(ip, port string) container.HostConfig {
	b := network.PortBinding{HostPort: port}
	if ip != "" {
		b.HostIP = netip.MustParseAddr(ip)
	}
	return container.HostConfig{PortBindings: network.PortMap{port8080: {b}}}
}

// processesOf counts the processes of a group.
func processesOf(t *testing.T, group int) int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // not a process, or gone
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		var state string
		var parent, pgrp int
		if _, err := fmt.Sscan(rest, &state, &parent, &pgrp); err == nil && pgrp == group && state != "Z" {
			n++
		}
	}
	return n
}

// listeners are the addresses, as the kernel writes them, on which a port listens.
func listeners(t *testing.T, port string) []string {
	t.Helper()
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 3 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) {
				out = append(out, f[1][:len(f[1])-5])
			}
		}
	}
	return out
}

func TestPublishedPorts(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", publish("", "0"))
	l.start("one")
	shown := l.inspect("one").NetworkSettings.Ports[port8080]
	if len(shown) != 2 || shown[0].HostIP.String() != "0.0.0.0" || shown[1].HostIP.String() != "::" {
		t.Fatalf("shown: %+v", shown)
	}
	url := "http://127.0.0.1:" + shown[0].HostPort
	if env := l.get(url + "/env"); !strings.Contains(env, "LAB_HOST=") {
		t.Errorf("the program answered %q", env)
	}
	if at := listeners(t, shown[0].HostPort); len(at) != 1 || at[0] != "0100007F" {
		t.Errorf("0.0.0.0 is served on %v, want 127.0.0.1 only", at)
	}
	l.stop("one")
	if got := l.inspect("one").NetworkSettings.Ports; len(got) != 0 {
		t.Errorf("shown of a stopped container: %+v", got)
	}
	free, err := net.Listen("tcp", "127.0.0.1:"+shown[0].HostPort)
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	free.Close()
	list, err := l.ContainerList(l.ctx(), client.ContainerListOptions{All: true})
	if err != nil || len(list.Items[0].Ports) != 0 {
		t.Errorf("listed: %+v, error %v", list.Items, err)
	}
}

func TestAPortServesOneContainer(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", publish("127.0.0.1", "0"))
	l.start("one")
	port := l.inspect("one").NetworkSettings.Ports[port8080][0].HostPort
	l.create("two", publish("0.0.0.0", port))
	_, err := l.ContainerStart(l.ctx(), "two", client.ContainerStartOptions{})
	wantError(t, err, "driver failed programming external connectivity on endpoint two (", "): Bind for 0.0.0.0:"+port+" failed: port is already allocated")
	if c := l.inspect("two"); c.State.Status != "created" || c.State.ExitCode != 128 || !strings.Contains(c.State.Error, "already allocated") {
		t.Errorf("after the failed start: %+v", c.State)
	}
	l.stop("one")
	l.start("two")
	l.get("http://127.0.0.1:" + port + "/env")
	if s := l.inspect("two").State; s.Error != "" {
		t.Errorf("the error stays: %+v", s)
	}
}

func TestAPortThatSomebodyElseHas(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, err := net.SplitHostPort(busy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l.create("one", publish("", port))
	_, err = l.ContainerStart(l.ctx(), "one", client.ContainerStartOptions{})
	wantError(t, err, "driver failed programming external connectivity on endpoint one (", "listen tcp4 0.0.0.0:"+port+": bind: address already in use")

	l.create("two", publish("192.0.2.7", port)) // not of this machine; nor would any that others can reach be served
	_, err = l.ContainerStart(l.ctx(), "two", client.ContainerStartOptions{})
	wantError(t, err, "bind: cannot assign requested address")
}
