package docker

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/version"
)

// InstallOptions are the settings of a first install.
type InstallOptions struct {
	Name    string   // of the container
	Ports   []string // see ParsePorts; empty publishes the gateway's ports as they are
	Network string   // empty is bridge
	Restart string   // see ParseRestart; empty is unless-stopped
	Memory  string   // see ParseMemory; empty is no limit
	Mounts  []string // see ParseMounts

	GitLabURL string       // the instance, without a trailing slash
	Line      version.Line // of the gateway
	Declared  Declared

	Random io.Reader // for the keys that GitLab's page has users generate
}

// Install writes down how to make a gateway where there is none, as GitLab's page
// documents it for the gateway's line: its ports, variables and keys. All mistakes
// in the options are reported in one error. Source:
// docs.gitlab.com/install/install_ai_gateway.
func Install(o InstallOptions) (Recipe, Findings, error) {
	needs := gateway.For(o.Line)
	r, err := o.container(needs)
	if err != nil {
		return Recipe{}, Findings{}, fmt.Errorf("installing container %q: %w", clean(o.Name, 60), err)
	}
	for _, v := range needs.Variables {
		r.Set(v.Name, secret.Value(v.Value(o.GitLabURL)))
	}
	found := r.Declare(o.Declared)
	required, err := r.Require(version.Line{}, o.Line, o.GitLabURL, o.Random)
	found.add(required)
	return r, found, err
}

// container is the recipe without its environment.
func (o InstallOptions) container(needs gateway.Needs) (Recipe, error) {
	if len(o.Ports) == 0 {
		o.Ports = append(o.Ports, samePort(needs.HTTPPort))
		if needs.GRPCPort != 0 {
			o.Ports = append(o.Ports, samePort(needs.GRPCPort))
		}
	}
	if o.Restart == "" {
		o.Restart = string(container.RestartPolicyUnlessStopped)
	}
	if o.Network == "" {
		o.Network = network.NetworkBridge
	}
	ports, badPorts := ParsePorts(o.Ports)
	restart, badRestart := ParseRestart(o.Restart)
	memory, badMemory := ParseMemory(o.Memory)
	if badMemory == nil && memory != 0 && memory < needs.Memory {
		badMemory = fmt.Errorf("memory %q: the gateway needs at least %dm", o.Memory, needs.Memory>>20)
	}
	mounts, badMounts := ParseMounts(o.Mounts)
	if err := errors.Join(CheckName(o.Name), badPorts, CheckNetwork(o.Network), badRestart, badMemory, badMounts); err != nil {
		return Recipe{}, err
	}

	exposed := make(network.PortSet)
	for port := range maps.Keys(ports) {
		exposed[port] = struct{}{}
	}
	return Recipe{
		Name:   o.Name,
		Config: &container.Config{ExposedPorts: exposed, Labels: make(map[string]string)},
		HostConfig: &container.HostConfig{
			NetworkMode:   container.NetworkMode(o.Network),
			PortBindings:  ports,
			RestartPolicy: restart,
			Mounts:        mounts,
			Resources:     container.Resources{Memory: memory},
		},
		Networks: map[string]*network.EndpointSettings{o.Network: {}},
	}, nil
}

func samePort(port int) string {
	return strconv.Itoa(port) + ":" + strconv.Itoa(port)
}
