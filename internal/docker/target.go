package docker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// TargetOptions are the settings of a gateway on an engine.
type TargetOptions struct {
	// Container is the gateway's name. Where no container has it, the one container
	// that runs a gateway image is taken over under its own name.
	Container string

	// Repositories are where gateway images come from, besides those that are known
	// by name. A container of another image is no gateway, and is left alone.
	Repositories []string

	Install  InstallOptions // for a first install; Name, Line and Declared are filled in
	Declared Declared
	Reload   []string // containers that get SIGHUP once the new gateway has the name

	// ForeignPlatform is set when the image's platform was chosen on purpose: then it
	// need not be the engine's.
	ForeignPlatform bool

	// Who is told to others while this run holds the lock: a job URL, or user@host.
	Who string

	// Credentials are shown to the registry by the engine. Nil pulls anonymously.
	Credentials func(ctx context.Context, repository string) (Credentials, error)

	// Ready is how long a gateway that starts beside the old one may take until it
	// answers. Zero means five minutes.
	Ready time.Duration

	// LockTTL is for tests: how long a lock without a sign of life is respected.
	LockTTL time.Duration

	// Redact is told the secrets that are found in a container's environment or are
	// generated, so that they are kept out of logs and reports. Nil tells nobody.
	Redact func(values ...string)

	Random io.Reader // for generated keys
	Log    *slog.Logger
}

// Target is a gateway on a Docker Engine.
type Target struct {
	engine  *Engine
	options TargetOptions
	log     *slog.Logger

	// installed is the container that Promote made where there was none: the only
	// one that Restore may remove without another to put in its place.
	installed string
}

var _ upgrade.Target = (*Target)(nil)

// NewTarget is the gateway on an engine. It contacts nothing.
func NewTarget(e *Engine, o TargetOptions) *Target {
	if o.Ready == 0 {
		o.Ready = 5 * time.Minute
	}
	if o.Redact == nil {
		o.Redact = func(...string) {}
	}
	t := &Target{engine: e, options: o, log: o.Log}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	return t
}

// hide keeps the secrets of an environment out of logs and reports.
func (t *Target) hide(environment []string) {
	for _, entry := range environment {
		if name, value, _ := strings.Cut(entry, "="); !gateway.Public(name) && !harmless(value) {
			t.options.Redact(value)
		}
	}
}

// harmless reports whether a value is an address or a path, which would be missed in
// a report, and which hides nothing by itself.
func harmless(value string) bool {
	if strings.HasPrefix(value, "/") {
		return !strings.Contains(value, "\n")
	}
	u, err := url.Parse(value)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" && len(u.Path) <= 1
}

// Place names the gateway as it is configured.
func (t *Target) Place() upgrade.Place { return t.place(t.options.Container) }

func (t *Target) place(name string) upgrade.Place {
	return upgrade.Place{Kind: "docker", Name: name}
}

// Lock takes the gateway, whatever its container is called, for this run.
func (t *Target) Lock(ctx context.Context) (<-chan struct{}, func(context.Context) error, error) {
	f, err := t.family(ctx)
	if err != nil {
		return nil, nil, err
	}
	lost, release, err := t.engine.Lock(ctx, LockOptions{Container: f.name, Who: t.options.Who, TTL: t.options.LockTTL})
	if err != nil {
		return nil, nil, err
	}
	t.clearUp(ctx, f.name)
	return lost, release, nil
}

// clearUp does what a killed run left undone and what cannot wait until its end is
// known: proxies may still send users to a container that it had stopped.
func (t *Target) clearUp(ctx context.Context, name string) {
	if err := t.engine.removeStillborn(ctx, name); err != nil {
		t.log.Warn("helpers of a run that was killed could not be removed", "error", err)
	}
	if f, err := t.family(ctx); err == nil && f.previous != nil && !f.previous.running() && f.live.running() {
		t.unheard(t.signal(ctx))
	}
}

// Prepare pulls the image, by digest.
func (t *Target) Prepare(ctx context.Context, plan upgrade.Plan) error {
	var auth Credentials
	if t.options.Credentials != nil {
		var err error
		if auth, err = t.options.Credentials(ctx, plan.Image.Repository); err != nil {
			return err
		}
	}
	return t.engine.Pull(ctx, plan.Image, auth)
}

// Dismiss removes the rehearsal, and the volumes that were made for it alone.
func (t *Target) Dismiss(ctx context.Context) error {
	f, err := t.family(ctx)
	if err != nil || f.rehearsal == nil {
		return err
	}
	return t.remove(ctx, f.rehearsal, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
}

// Keep drops the container that was set aside. Its volumes stay: the new one has
// taken them over. Proxies are told once more: an earlier run may have been killed
// before it could, and they may still know an address that is now free for others.
func (t *Target) Keep(ctx context.Context) error {
	f, err := t.family(ctx)
	if err != nil {
		return err
	}
	for _, m := range []*member{f.previous, f.next} {
		if err := t.remove(ctx, m, client.ContainerRemoveOptions{Force: true}); err != nil {
			return err
		}
	}
	if f.previous != nil {
		t.unheard(t.signal(ctx))
	}
	return t.engine.RemoveHelpers(ctx, f.name)
}

// Previous is what the current container records of the one before it.
func (t *Target) Previous(ctx context.Context) (upgrade.Past, error) {
	f, err := t.family(ctx)
	if err != nil || f.live == nil {
		return upgrade.Past{}, err
	}
	return upgrade.Past{Image: f.live.labels[LabelPrevious], Left: f.live.labels[LabelBack] != ""}, nil
}

// remove removes a container by its ID; one that is not there any more is fine.
func (t *Target) remove(ctx context.Context, m *member, o client.ContainerRemoveOptions) error {
	if m == nil {
		return nil
	}
	t.engine.dropRelay(ctx, m.id)
	_, err := t.engine.api.ContainerRemove(ctx, m.id, o)
	if isNotFound(err) {
		return nil
	}
	return t.engine.explain("removing container "+m.name, err)
}

func (t *Target) rename(ctx context.Context, m *member, name string) error {
	if _, err := t.engine.api.ContainerRename(ctx, m.id, client.ContainerRenameOptions{NewName: name}); err != nil {
		return t.engine.explain(fmt.Sprintf("renaming container %s to %s", m.name, name), err)
	}
	m.name = name
	return nil
}

func (t *Target) start(ctx context.Context, m *member) error {
	_, err := t.engine.api.ContainerStart(ctx, m.id, client.ContainerStartOptions{})
	return t.engine.explain("starting container "+m.name, err)
}

// stop ends a container as its settings say; grace, when longer, is how long it
// may take to finish what it is doing.
func (t *Target) stop(ctx context.Context, m *member, grace time.Duration) error {
	var timeout *int
	if grace > 0 {
		seconds := int(grace / time.Second)
		timeout = &seconds
	}
	_, err := t.engine.api.ContainerStop(ctx, m.id, client.ContainerStopOptions{Timeout: timeout})
	return t.engine.explain("stopping container "+m.name, err)
}

// restartPolicy changes what the engine does with a container when it restarts
// itself: "always" brings a container back that was stopped on purpose, and with
// it a second gateway on the same port. Source: docs.docker.com/engine/containers/start-containers-automatically.
func (t *Target) restartPolicy(ctx context.Context, m *member, policy container.RestartPolicyMode) error {
	_, err := t.engine.api.ContainerUpdate(ctx, m.id, client.ContainerUpdateOptions{
		RestartPolicy: &container.RestartPolicy{Name: policy},
	})
	return t.engine.explain("changing the restart policy of container "+m.name, err)
}
