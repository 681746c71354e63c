package docker

import (
	"context"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// Restore puts the container that was set aside back in its place. It reads from
// the names how far Promote, or an earlier Restore, came.
func (t *Target) Restore(ctx context.Context) (upgrade.Gateway, error) {
	f, err := t.family(ctx)
	if err != nil {
		return nil, err
	}
	if f.live != nil && f.previous.leaving() {
		// Keep was removing it, so the one in its place was proven, and is all there is.
		if err := t.remove(ctx, f.previous, client.ContainerRemoveOptions{Force: true}); err != nil {
			return nil, err
		}
		f.previous = nil
	}
	if f.previous != nil {
		if err := t.putBack(ctx, &f); err != nil {
			return nil, err
		}
	}
	if err := t.relieve(ctx, f.next); err != nil {
		return nil, err
	}
	if err := t.engine.RemoveHelpers(ctx, f.name); err != nil {
		return nil, err
	}
	if f.live == nil {
		return nil, nil
	}
	if f.previous == nil && t.firstInstall(f.live) {
		return nil, t.remove(ctx, f.live, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	}
	if f.previous == nil && !f.live.running() {
		if err := t.start(ctx, f.live); err != nil {
			return nil, err
		}
	}
	return t.engine.gateway(f.live.id, f.name, true), nil
}

// putBack gives the container that was set aside its name again, and starts it.
// It is started before it has its name back, so that no half of this looks like a
// finished whole.
//
// The promoted one steps aside, for relieve: until then it tells what this run was
// about, and where both can run it goes on while its users are led back.
func (t *Target) putBack(ctx context.Context, f *family) error {
	promoted, old := f.live, f.previous
	beside := promoted.running() && (old.running() || t.canRunBeside(ctx, old))
	if promoted.running() && !beside {
		if err := t.stop(ctx, promoted, 0); err != nil {
			return err
		}
	}
	if !old.running() {
		if err := t.start(ctx, old); err != nil {
			return err
		}
	}
	// After the start: an engine whose disk is full may start it all the same.
	if err := t.unretire(ctx, f); err != nil {
		return err
	}
	if promoted.running() {
		t.awaitReload(ctx, old)
	}
	if promoted != nil {
		if err := t.rename(ctx, promoted, f.name+suffixNext); err != nil {
			return err
		}
		f.next = promoted
		if !beside {
			promoted.state = container.StateExited
		}
	}
	if err := t.rename(ctx, old, f.name); err != nil {
		return err
	}
	f.live = old
	if !beside && len(t.options.Reload) > 0 {
		t.unheard(t.reload(ctx))
	}
	return nil
}

// relieve removes a container that is not in its place. One that runs may be where
// a proxy still sends its users: the proxy looks again, then the container finishes
// what it is doing.
func (t *Target) relieve(ctx context.Context, m *member) error {
	if m.running() {
		t.unheard(t.reload(ctx))
		if err := t.stop(ctx, m, drainBack); err != nil {
			return err
		}
	}
	if err := t.remove(ctx, m, client.ContainerRemoveOptions{Force: true}); err != nil {
		return err
	}
	if m.running() {
		t.unheard(t.signal(ctx))
	}
	return nil
}

// unretire gives the old container the restart policy back that retire took. The
// containers made to replace it remember it. One that still has it is left alone.
func (t *Target) unretire(ctx context.Context, f *family) error {
	for _, m := range []*member{f.live, f.next} {
		if m != nil && m.labels[LabelRestart] == string(container.RestartPolicyAlways) {
			in, err := t.inspect(ctx, f.previous.id)
			if err != nil || in.HostConfig.RestartPolicy.Name == container.RestartPolicyAlways {
				return err
			}
			return t.restartPolicy(ctx, f.previous, container.RestartPolicyAlways)
		}
	}
	return nil
}

// canRunBeside reports whether a container can start while the promoted one runs.
// When that cannot be found out it cannot.
func (t *Target) canRunBeside(ctx context.Context, m *member) bool {
	in, err := t.inspect(ctx, m.id)
	return err == nil && len(settled(in).Exclusive()) == 0
}

// firstInstall reports whether a container is a first install that was never
// proven: one this run made, or one an interrupted run made and never started.
func (t *Target) firstInstall(m *member) bool {
	return m.id == t.installed || m.ours() && m.state == container.StateCreated
}
