package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// The cluster's network is one Ethernet: the machine that started it is its first
// host, the node the second, the pods are the others. The machine is nothing but a
// neighbour, so its own firewall and its Docker Engine have no part in it.
const (
	machineAddress = "10.88.0.1"
	nodeAddress    = "10.88.0.2"
	podNetwork     = "10.88.0.0/24"
	serviceNetwork = "10.96.0.0/16"
	serviceAPI     = "10.96.0.1" // the first of that network, always
	link           = "aigw-test0"
	bridge         = "aigw0" // in the node's own namespace
	nodeName       = "node1"
)

const (
	apiPort     = "16443"
	kubeletPort = "20250"
	etcdClient  = "http://127.0.0.1:12379"
	etcdPeer    = "http://127.0.0.1:12380"
	pauseImage  = "cluster.test/pause:1"
)

// place is the directory that holds everything of one cluster.
type place string

// prefix is how the directories' names begin, in the directory for temporary files.
const prefix = "aigw-cluster."

func newPlace() (place, error) {
	directory, err := os.MkdirTemp("", prefix)
	if err != nil {
		return "", fmt.Errorf("making a directory for the cluster: %w", err)
	}
	p := place(directory)
	for _, d := range []string{"log", "pki", "cni", "certs.d", "settings", "var/lib", "var/log", "kubelet/plugins"} {
		if err := os.MkdirAll(p.path(d), 0o755); err != nil {
			return p, fmt.Errorf("making a directory for the cluster: %w", err)
		}
	}
	return p, nil
}

func (p place) path(name string) string { return filepath.Join(string(p), name) }

// What the templates in config need to know, beside paths.

func (p place) Dir() string         { return string(p) }
func (p place) API() string         { return "https://" + nodeAddress + ":" + apiPort }
func (p place) Socket() string      { return p.path("containerd/containerd.sock") }
func (p place) PauseImage() string  { return pauseImage }
func (p place) Bridge() string      { return bridge }
func (p place) PodNetwork() string  { return podNetwork }
func (p place) NodeAddress() string { return nodeAddress }
func (p place) NodeName() string    { return nodeName }
func (p place) KubeletPort() string { return kubeletPort }
