package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/road"
	"aigw-ci/internal/upgrade"
)

// relay is the road that is always there: through the Engine API itself, into a
// gateway's network. A helper container shares that network ("container:<id>", so
// it also has the gateway's name resolution) and holds nothing but this program.
// Each connection is a program started in the helper that joins a TCP connection
// with its standard input and output.
//
// The helper's own program waits for the end of its standard input, which is a
// connection to this process. When this process dies, however it dies, the engine
// closes that input, the helper ends, and the engine removes it.
type relay struct {
	engine  *Engine
	helper  string // container ID
	started string // when the gateway was started whose network the helper is in
	alive   io.Closer
}

// relayUser is nobody: the relay opens connections and needs no rights.
const relayUser = "65534:65534"

// dialRelay opens a connection to addr from inside the network of the container
// id. target is the gateway's name, for the label. It returns the errors of
// upgrade.Gateway's DialFrom.
func (e *Engine) dialRelay(ctx context.Context, id, target, addr string) (net.Conn, error) {
	conn, err := e.relayed(ctx, id, target, addr)
	if _, met := err.(*net.OpError); err == nil || met || errors.Is(err, errors.ErrUnsupported) {
		return conn, err
	}
	return nil, &upgrade.RoadError{Err: err} // also an OpError inside it: that is of our way to the engine
}

func (e *Engine) relayed(ctx context.Context, id, target, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "" || strings.HasPrefix(host, "-") {
		return nil, fmt.Errorf("relay address %q is no host:port", clean(addr, 200))
	}
	r, err := e.relayTo(ctx, id, target)
	if err != nil {
		return nil, err
	}
	conn, err := r.dial(ctx, addr)
	if isNotFound(err) || isConflict(err) {
		// The helper ended: its lifetime is over, or somebody removed it.
		e.dropRelay(ctx, id)
		if r, err = e.relayTo(ctx, id, target); err != nil {
			return nil, err
		}
		conn, err = r.dial(ctx, addr)
	}
	return conn, err
}

// relayTo returns the helper in the network of a container, and starts one if there
// is none, or if the container was started again since: then the helper sits in
// a network that nobody else is in any more.
func (e *Engine) relayTo(ctx context.Context, id, target string) (*relay, error) {
	if e.executable == "" {
		return nil, fmt.Errorf("reaching the network of %s through the engine: %w: no executable to copy there", target, errors.ErrUnsupported)
	}
	found, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, e.explain("looking at "+target, err)
	}
	state := found.Container.State
	if state == nil || !state.Running {
		return nil, fmt.Errorf("reaching the network of %s: the container does not run", target)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.relays[id]; r != nil {
		if r.started == state.StartedAt {
			return r, nil
		}
		delete(e.relays, id)
		_ = r.close(ctx)
	}
	r, err := e.startRelay(ctx, id, target)
	if err != nil {
		return nil, err
	}
	r.started = state.StartedAt
	e.relays[id] = r
	return r, nil
}

func (e *Engine) startRelay(ctx context.Context, id, target string) (*relay, error) {
	helper, err := e.createHelper(ctx, id, target)
	if isNotFound(err) { // a run on another gateway removed the image between two of our requests
		helper, err = e.createHelper(ctx, id, target)
	}
	if err != nil {
		return nil, e.explain("creating a relay into the network of "+target, err)
	}
	r := &relay{engine: e, helper: helper}
	if err := r.start(ctx); err != nil {
		_ = r.close(context.WithoutCancel(ctx))
		return nil, e.explain("starting a relay into the network of "+target, err)
	}
	e.log.Debug("a relay runs in the gateway's network", "gateway", target, "helper", helper)
	return r, nil
}

func (e *Engine) createHelper(ctx context.Context, id, target string) (string, error) {
	image, err := e.relayImage(ctx)
	if err != nil {
		return "", err
	}
	made, err := e.api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{
			Image:       image,
			Entrypoint:  []string{relayProgram, "relay-wait"},
			User:        relayUser,
			OpenStdin:   true,
			StdinOnce:   true, // the end of our connection is the end of its input
			AttachStdin: true,
			Labels:      map[string]string{LabelRole: RoleRelay, LabelTarget: target, LabelRun: e.run},
		},
		HostConfig: &container.HostConfig{
			NetworkMode:    container.NetworkMode("container:" + id),
			AutoRemove:     true,
			ReadonlyRootfs: true,
			CapDrop:        []string{"ALL"},
			SecurityOpt:    []string{"no-new-privileges"},
			LogConfig:      container.LogConfig{Type: "none"},
		},
	})
	return made.ID, err
}

// start attaches before it starts, so that there is no moment in which the helper
// runs and nobody holds its input.
func (r *relay) start(ctx context.Context) error {
	attached, err := r.engine.api.ContainerAttach(ctx, r.helper, client.ContainerAttachOptions{Stream: true, Stdin: true})
	if err != nil {
		return notOffered(err)
	}
	r.alive = attached.Conn
	_, err = r.engine.api.ContainerStart(ctx, r.helper, client.ContainerStartOptions{})
	return err
}

// notOffered marks the answer of an engine that lets nobody attach: a proxy that
// guards its socket forbids it, an engine of another make does not know it. The
// client library says which status it was in words only.
func notOffered(err error) error {
	for _, status := range []string{"received 403", "received 501"} {
		if strings.Contains(err.Error(), status) {
			return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
		}
	}
	return err
}

// dial starts one relay program and waits for its first line.
func (r *relay) dial(ctx context.Context, addr string) (net.Conn, error) {
	made, err := r.engine.api.ExecCreate(ctx, r.helper, client.ExecCreateOptions{
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
		User: relayUser,
		Cmd:  []string{relayProgram, "relay", addr},
	})
	if err != nil {
		return nil, r.engine.explain("starting a relay to "+addr, err)
	}
	attached, err := r.engine.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return nil, r.engine.explain("starting a relay to "+addr, notOffered(err))
	}
	stream := newExecStream(attached.HijackedResponse)
	stop := context.AfterFunc(ctx, func() { _ = stream.Close() })
	line, err := stream.readLine()
	if !stop() {
		return nil, fmt.Errorf("relaying to %s took too long: %w", addr, context.Cause(ctx))
	}
	if err == nil {
		err = road.ParseFirstLine(addr, line)
	} else {
		err = fmt.Errorf("the relay to %s ended before it said how it went: %w", addr, err)
	}
	if err != nil {
		_ = stream.Close()
		return nil, err
	}
	return road.NewConn(stream, addr), nil
}

// close ends the helper. Its end of input would do; removing it by its ID does not
// depend on that.
func (r *relay) close(ctx context.Context) error {
	if r.alive != nil {
		_ = r.alive.Close()
	}
	return r.engine.explain("removing the relay helper "+r.helper, r.engine.removeContainer(ctx, r.helper))
}

// dropRelay forgets the helper in a container's network and removes it.
func (e *Engine) dropRelay(ctx context.Context, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.relays[id]; r != nil {
		delete(e.relays, id)
		_ = r.close(ctx)
	}
}

// closeRelays removes the helpers of this run, and the image they were made from
// unless another run uses it.
func (e *Engine) closeRelays(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.relays) == 0 {
		return nil
	}
	var errs []error
	for id, r := range e.relays {
		errs = append(errs, r.close(ctx))
		delete(e.relays, id)
	}
	e.removeImages(ctx, RoleRelay)
	return errors.Join(errs...)
}

// RemoveHelpers removes the helper containers that dead runs left in the networks
// of a gateway's containers: the one called target, and those beside it whose names
// add a suffix of ours. The caller holds the lock, so none of them is in use.
func (e *Engine) RemoveHelpers(ctx context.Context, target string) error {
	return e.removeHelpers(ctx, target, make(client.Filters))
}

// removeStillborn removes those of them that were never started: a run that is killed
// in between leaves one, and nothing ends it, as the end of its input ends the others.
func (e *Engine) removeStillborn(ctx context.Context, target string) error {
	return e.removeHelpers(ctx, target, make(client.Filters).Add("status", "created"))
}

func (e *Engine) removeHelpers(ctx context.Context, target string, only client.Filters) error {
	list, err := e.api.ContainerList(ctx, client.ContainerListOptions{
		All:     true,
		Filters: only.Add("label", LabelRole+"="+RoleRelay),
	})
	if err != nil {
		return e.explain("listing helper containers", err)
	}
	var errs []error
	removed := false
	for _, c := range list.Items {
		if of := c.Labels[LabelTarget]; of == target || strings.HasPrefix(of, target+suffix) {
			errs = append(errs, e.explain("removing helper container "+c.ID, e.removeContainer(ctx, c.ID)))
			removed = true
		}
	}
	if removed {
		e.removeImages(ctx, RoleRelay)
	}
	return errors.Join(errs...)
}
