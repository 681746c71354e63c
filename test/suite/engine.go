package suite

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"aigw-ci/internal/lab/dockerd"
)

// Engine is the one at host, DOCKER_HOST's value or "", when it is fit for tests: it is
// on this machine, answers, and has no gateway yet. bridge is this machine's address,
// as containers know it.
func Engine(ctx context.Context, host string) (engine *dockerd.Engine, bridge string, err error) {
	if host == "" {
		host = dockerd.DefaultHost
	}
	if engine, err = dockerd.New(host); err != nil {
		return nil, "", err
	}
	if err := engine.Call(ctx, http.MethodGet, "/_ping", nil, new([]byte)); err != nil {
		return nil, "", fmt.Errorf("no Docker Engine answers at %s: %w\nrun `make docker`, which starts one, or on Debian: scripts/install-debian docker.io iptables", host, err)
	}
	gateways, err := engine.Gateways(ctx)
	if err != nil {
		return nil, "", err
	}
	if len(gateways) > 0 {
		return nil, "", errors.New("the engine at " + host + " already has what looks like a gateway, and aigw-ci would take it over: " +
			strings.Join(gateways, ", ") + "\nrun these tests on an engine without one")
	}
	bridge, err = engine.Bridge(ctx)
	return engine, bridge, err
}
