package docker

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// handle is one gateway container, known by its ID: it stays the same gateway
// when containers are renamed.
type handle struct {
	engine    *Engine
	id        string
	name      string // for messages and labels
	published bool   // its users come through published ports, so the gate does too
}

var _ upgrade.Gateway = (*handle)(nil)

// gateway is a handle on the container id. It contacts nobody.
func (e *Engine) gateway(id, name string, published bool) *handle {
	return &handle{engine: e, id: id, name: name, published: published}
}

// Endpoint implements upgrade.Gateway.
func (h *handle) Endpoint(ctx context.Context) (upgrade.Endpoint, error) {
	found, err := h.engine.api.ContainerInspect(ctx, h.id, client.ContainerInspectOptions{})
	if err != nil {
		return upgrade.Endpoint{}, h.engine.explain("looking for a road to "+h.name, err)
	}
	p := portsOf(found.Container)
	http, err := h.engine.Road(ctx, found.Container, p.HTTP, h.published)
	if err != nil {
		return upgrade.Endpoint{}, err
	}
	endpoint := upgrade.Endpoint{HTTP: p.Scheme() + "://" + http.Addr, Dial: http.Dial, Lasting: http.lasting, Via: http.Via}
	if p.GRPC == 0 {
		return endpoint, nil
	}
	grpc, err := h.engine.Road(ctx, found.Container, p.GRPC, h.published)
	if err != nil {
		return upgrade.Endpoint{}, err
	}
	endpoint.GRPC = grpc.Addr
	endpoint.Dial = either(http, grpc)
	if grpc.Via != http.Via {
		endpoint.Via += ", gRPC by " + grpc.Via
	}
	return endpoint, nil
}

// either dials each of two addresses on its own road.
func either(a, b Road) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if a.Dial == nil && b.Dial == nil {
		return nil
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		dial := a.Dial
		if addr == b.Addr {
			dial = b.Dial
		}
		if dial == nil {
			dial = (&net.Dialer{}).DialContext
		}
		return dial(ctx, network, addr)
	}
}

// portsOf reads where the gateway listens from its environment, which holds the
// image's own defaults too.
func portsOf(c container.InspectResponse) gateway.Ports {
	env := make(map[string]string)
	if c.Config == nil {
		return gateway.Listens("", env)
	}
	for _, pair := range c.Config.Env {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return gateway.Listens(c.Config.Image, env)
}

// State implements upgrade.Gateway.
func (h *handle) State(ctx context.Context) (upgrade.State, error) {
	found, err := h.engine.api.ContainerInspect(ctx, h.id, client.ContainerInspectOptions{})
	if isNotFound(err) {
		return upgrade.State{Status: upgrade.Missing}, nil
	}
	if err != nil {
		return upgrade.State{}, h.engine.explain("reading the state of "+h.name, err)
	}
	state := stateOf(found.Container)
	state.Digests, err = h.engine.digests(ctx, found.Container)
	return state, err
}

func stateOf(c container.InspectResponse) upgrade.State {
	s := upgrade.State{Restarts: c.RestartCount}
	if c.Config != nil {
		s.Image = clean(c.Config.Image, 500)
	}
	if c.State == nil {
		return s
	}
	s.ExitCode = c.State.ExitCode
	s.OOM = c.State.OOMKilled
	s.Error = clean(c.State.Error, 500)
	if started, err := time.Parse(time.RFC3339Nano, c.State.StartedAt); err == nil && started.Year() > 1 {
		s.Started = started
	}
	if c.State.Health != nil && c.State.Health.Status != container.NoHealthcheck {
		s.Health = string(c.State.Health.Status)
	}
	switch c.State.Status {
	case container.StateCreated:
		s.Status = upgrade.Created
	case container.StateRunning:
		s.Status = upgrade.Running
	case container.StateRestarting:
		s.Status = upgrade.Restarting
	case container.StatePaused:
		s.Status = upgrade.Paused
	default: // exited, dead, removing
		s.Status = upgrade.Exited
	}
	return s
}

// digests are all names of the image a container runs: the configuration's digest,
// which is the image ID of the classic store; the digests under which it was
// pulled; and, where the engine uses containerd's store (API 1.48 and later), the
// index and the platform's manifest. An image that was removed under a running
// container has only the name that the container remembers.
func (e *Engine) digests(ctx context.Context, c container.InspectResponse) ([]string, error) {
	var found []string
	add := func(digest string) {
		if strings.HasPrefix(digest, "sha256:") && !slices.Contains(found, digest) {
			found = append(found, digest)
		}
	}
	add(c.Image)
	if c.Config != nil { // the engine made it from what had this digest, whoever took the name away since
		_, digest, _ := strings.Cut(c.Config.Image, "@")
		add(digest)
	}
	if c.ImageManifestDescriptor != nil {
		add(c.ImageManifestDescriptor.Digest.String())
	}
	if c.Image == "" {
		return found, nil
	}
	image, err := e.api.ImageInspect(ctx, c.Image)
	if isNotFound(err) {
		return found, nil
	}
	if err != nil {
		return found, e.explain("reading image "+c.Image, err)
	}
	add(image.ID)
	for _, name := range image.RepoDigests {
		_, digest, _ := strings.Cut(name, "@")
		add(digest)
	}
	if image.Descriptor != nil {
		add(image.Descriptor.Digest.String())
	}
	return found, nil
}

// DialFrom implements upgrade.Gateway.
func (h *handle) DialFrom(ctx context.Context, addr string) (net.Conn, error) {
	return h.engine.dialRelay(ctx, h.id, h.name, addr)
}
