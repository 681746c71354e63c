package main

import (
	"context"
	"time"

	"aigw-ci/internal/upgrade"
)

// onTarget runs a command of the job on the target.
func onTarget(act func(*assembly, context.Context) upgrade.Result) func(context.Context, *session) upgrade.Result {
	return func(ctx context.Context, s *session) upgrade.Result {
		a, err := assemble(s)
		if err != nil {
			return s.failed(upgrade.Failed, err)
		}
		if err := a.connect(ctx); err != nil {
			outcome := upgrade.Failed
			if s.name == "verify" {
				outcome = upgrade.Undecided
			}
			return s.failed(outcome, err)
		}
		defer func() {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
			defer cancel()
			if err := a.close(end); err != nil {
				a.log.Logger().Warn("closing the connection to the target", "error", err)
			}
		}()
		r := act(a, ctx)
		r.RegistryRequests = a.registry.Requests()
		return r
	}
}

func (a *assembly) upgrade(ctx context.Context) upgrade.Result  { return a.job().Upgrade(ctx) }
func (a *assembly) plan(ctx context.Context) upgrade.Result     { return a.job().Plan(ctx) }
func (a *assembly) verify(ctx context.Context) upgrade.Result   { return a.job().Verify(ctx) }
func (a *assembly) rollBack(ctx context.Context) upgrade.Result { return a.job().RollBack(ctx) }
