package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// look makes every check once that is cheap enough to be made every second. It
// reports true when another look could change nothing: the process is gone, or
// keeps ending.
func (t *trial) look(ctx context.Context) (seen *sheet, over bool) {
	seen = newSheet()
	if over := t.process(ctx, seen); over {
		return seen, true
	}
	seen.put(Digest, t.digest())
	if t.last.Status == upgrade.Created || t.last.Status == upgrade.Paused {
		seen.put(Healthz, fail("the process is "+string(t.last.Status)+", not running", gateway.NotRunning))
		return seen, false
	}

	roadErr := t.findRoad(ctx)
	together(
		func() { seen.make(DNS, func() upgrade.Check { return t.dns(ctx) }) },
		func() { seen.make(GRPC, func() upgrade.Check { return t.grpc(ctx, roadErr) }) },
		func() { t.http(ctx, seen, roadErr) },
	)
	if seen.verdict() != upgrade.Pass {
		t.loseRoad() // by the next look it may be another one
	}
	// What runs in a settled gateway does not change by itself.
	return seen, t.Settled && seen.get(Digest).Verdict == upgrade.Fail
}

// http makes the checks that are requests: first the one that shows whether a
// gateway answers at all, then the others, which would only say the same again.
func (t *trial) http(ctx context.Context, seen *sheet, roadErr error) {
	v := t.front
	if v == nil {
		v = t.own
	}
	if v == nil {
		seen.put(Healthz, noRoad(roadErr))
		return
	}
	defer v.rest()

	var got *answer
	var err error
	healthy := seen.make(Healthz, func() upgrade.Check {
		got, err = v.get(ctx, "/monitoring/healthz")
		return healthz(v, got, err)
	})
	seen.put(TLS, certificate(v, got, err))
	if healthy.Verdict != upgrade.Pass {
		return
	}
	together(
		func() { seen.make(Auth, func() upgrade.Check { return auth(ctx, v) }) },
		func() { seen.make(Bypass, func() upgrade.Check { return bypass(ctx, v) }) },
		func() { seen.make(Models, func() upgrade.Check { return t.models(ctx, v) }) },
	)
}

// together runs functions at the same time and waits for all of them.
func together(functions ...func()) {
	var wg sync.WaitGroup
	for _, f := range functions {
		wg.Go(f)
	}
	wg.Wait()
}

// findRoad asks the target for the gateway's own address, unless it is known and
// worked at the last look, or nothing is to be looked at there.
func (t *trial) findRoad(ctx context.Context) error {
	if t.own != nil || t.front != nil && !t.mayServeGRPC() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, targetTimeout)
	defer cancel()
	road, err := t.Gateway.Endpoint(ctx)
	if err != nil {
		return err
	}
	if road.HTTP == "" {
		return errors.New("the target names no address")
	}
	t.road, t.own = road, t.visitOwn(road)
	return nil
}

func (t *trial) loseRoad() {
	t.own.close()
	t.own = nil
}

func noRoad(err error) upgrade.Check {
	return unseen(fmt.Sprintf("no road leads from here to the gateway: %v", err), gateway.NoRoad)
}
