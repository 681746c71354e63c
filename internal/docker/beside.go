package docker

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// How a gateway behind a reverse proxy is relieved: the proxy gets time to look
// the name up again, and the old gateway to finish what it is doing. Model answers
// take up to a minute.
const (
	lookUp    = 3 * time.Second
	drain     = 90 * time.Second
	drainBack = 20 * time.Second // on the way back: the job may have been cancelled, and have little time
)

// moveOver relieves a gateway that publishes no host port. Both run; the name and
// the aliases move; the proxies look again; the old one finishes and stops.
//
// While it boots, the new one has no alias: a client that happens to look the
// name up must not be sent to a gateway that does not answer yet.
func (t *Target) moveOver(ctx context.Context, b *blueprint, old, next *member) error {
	aliased, err := t.takeAliases(ctx, b.recipe, next)
	if err != nil {
		return err
	}
	if err := t.start(ctx, next); err != nil {
		return err
	}
	if err := t.ready(ctx, next); err != nil {
		return err
	}
	for _, name := range aliased {
		if err := t.connect(ctx, next, name, b.recipe.Networks[name]); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), swapTime) // as in swap
	defer cancel()
	if err := t.rename(ctx, old, b.family.name+suffixPrevious); err != nil {
		return err
	}
	if err := t.rename(ctx, next, b.family.name); err != nil {
		return err
	}
	if err := t.reload(ctx); err != nil {
		return err
	}
	if err := t.stop(ctx, old, drain); err != nil {
		return err
	}
	if err := t.retire(ctx, b, old); err != nil {
		return err
	}
	return t.reload(ctx)
}

// takeAliases connects the container without its aliases, and returns the networks
// on which it has some.
func (t *Target) takeAliases(ctx context.Context, r Recipe, m *member) ([]string, error) {
	var aliased []string
	for _, name := range slices.Sorted(maps.Keys(r.Networks)) {
		if len(r.Networks[name].Aliases) == 0 {
			continue
		}
		quiet := r.Networks[name].Copy()
		quiet.Aliases = nil
		if err := t.connect(ctx, m, name, quiet); err != nil {
			return nil, err
		}
		aliased = append(aliased, name)
	}
	return aliased, nil
}

// connect connects a container to a network anew, with other settings.
func (t *Target) connect(ctx context.Context, m *member, name string, endpoint *network.EndpointSettings) error {
	doing := fmt.Sprintf("connecting container %s to network %s anew", m.name, name)
	if _, err := t.engine.api.NetworkDisconnect(ctx, name, client.NetworkDisconnectOptions{Container: m.id, Force: true}); err != nil && !isNotFound(err) {
		return t.engine.explain(doing, err)
	}
	_, err := t.engine.api.NetworkConnect(ctx, name, client.NetworkConnectOptions{Container: m.id, EndpointConfig: endpoint})
	return t.engine.explain(doing, err)
}

// ready waits until a gateway that nobody uses yet answers its health check.
func (t *Target) ready(ctx context.Context, m *member) error {
	ctx, cancel := context.WithTimeoutCause(ctx, t.options.Ready, fmt.Errorf("%s did not answer within %v", m.name, t.options.Ready))
	defer cancel()
	gateway := t.engine.gateway(m.id, m.name, false)
	endpoint, err := gateway.Endpoint(ctx)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: endpoint.Dial, DisableKeepAlives: true}
	c := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	for {
		if request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.HTTP+"/monitoring/healthz", nil); err != nil {
			return err
		} else if answer, err := c.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return context.Cause(ctx)
		}
	}
}

// reload tells the proxies to look the gateway's name up again, and gives them
// time for it: they do so after they have answered the signal.
func (t *Target) reload(ctx context.Context) error {
	if err := t.signal(ctx); err != nil {
		return err
	}
	return pause(ctx, lookUp)
}

// signal tells the proxies to look the gateway's name up again.
func (t *Target) signal(ctx context.Context) error {
	for _, name := range t.options.Reload {
		t.log.Info("sending SIGHUP", "container", name)
		if _, err := t.engine.api.ContainerKill(ctx, name, client.ContainerKillOptions{Signal: "SIGHUP"}); err != nil {
			return t.engine.explain("sending SIGHUP to container "+clean(name, 100), err)
		}
	}
	return nil
}

// unheard tells of a proxy that could not be told. It is for ways that must not end
// at a proxy which is gone itself.
func (t *Target) unheard(err error) {
	if err != nil {
		t.log.Warn("a proxy was not told where the gateway is", "error", err)
	}
}

// awaitReload waits, where there are proxies to tell, until a gateway answers that
// they are to be led to. Whether it ever does is for the gate to judge.
func (t *Target) awaitReload(ctx context.Context, m *member) {
	if len(t.options.Reload) == 0 {
		return
	}
	if err := t.ready(ctx, m); err != nil {
		t.log.Warn("the gateway does not answer yet", "container", m.name, "error", err)
	}
}
