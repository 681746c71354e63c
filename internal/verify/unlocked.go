package verify

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// Trial is the check of a gateway whose authentication is off on purpose.
const Trial = "gateway.trial"

// completions is where code completions are asked for. An empty request is refused
// with 401 by authentication, and by what comes after it with 422. Source:
// ai-assist, ai_gateway/api/server.py and tests.
const completions = "/v2/code/completions"

// Unlocked asks a gateway whose authentication is off, on purpose and for a moment:
// does it take requests? Then what fails for its users is authentication: keys,
// AIGW_GITLAB_URL, a clock. It waits until the gateway answers, for as long as
// Options.Timeout. No model is called.
//
// It is no part of Judge: such a gateway never gets users.
func (g *Gate) Unlocked(ctx context.Context, trial upgrade.Gateway) upgrade.Check {
	t := newTrial(g, upgrade.Subject{Stage: upgrade.Rehearsal, Gateway: trial})
	defer t.close()
	c := t.unlocked(ctx)
	if ctx.Err() != nil && c.Verdict != upgrade.Pass {
		c = interrupted(c)
	}
	c.ID, c.Stage, c.Detail = Trial, upgrade.Rehearsal, short(c.Detail, maxDetail)
	return c
}

func (t *trial) unlocked(ctx context.Context) upgrade.Check {
	for begin := time.Now(); ; pause(ctx, t.o.Interval) {
		seen, over := t.look(ctx)
		switch complaints := seen.complaints(); {
		case seen.get(Healthz).Verdict == upgrade.Pass:
			return t.ask(ctx)
		case !over && ctx.Err() == nil && time.Since(begin) < t.o.Timeout:
		case len(complaints) == 0:
			return unseen("the gateway could not be looked at", gateway.TargetSilent)
		default:
			t.consult(context.WithoutCancel(ctx), seen)
			return seen.get(complaints[0].ID)
		}
	}
}

// ask sends the empty request.
func (t *trial) ask(ctx context.Context) upgrade.Check {
	if err := t.findRoad(ctx); err != nil { // a look that found the door open lost it
		return noRoad(err)
	}
	got, err := t.own.do(ctx, http.MethodPost, t.own.address+completions, strings.NewReader("{}"), "Content-Type", "application/json")
	if err != nil {
		return t.own.explain(err)
	}
	switch {
	case got.StatusCode == http.StatusUnauthorized:
		return unseen(fmt.Sprintf("POST %s: %s: its authentication is still on, so nothing is learnt", completions, got), gateway.NoRefusal)
	case got.StatusCode >= 500, got.StatusCode == http.StatusNotFound:
		return fail(fmt.Sprintf("POST %s without authentication: %s: what is wrong is not authentication", completions, got), gateway.NotAGateway)
	}
	return pass(fmt.Sprintf("without authentication, POST %s is taken (%d): what fails for users is authentication: the keys, AIGW_GITLAB_URL, a clock", completions, got.StatusCode))
}
