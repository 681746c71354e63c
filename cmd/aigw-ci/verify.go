package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"aigw-ci/internal/docker"
	"aigw-ci/internal/upgrade"
)

func newVerify(sys system) *cobra.Command {
	var bypass bool
	verify := func(ctx context.Context, s *session) upgrade.Result {
		switch {
		case !bypass:
			return onTarget((*assembly).verify)(ctx, s)
		case s.settings.Target == onKubernetes:
			return s.failed(upgrade.Misused, errors.New("--bypass-auth: only a gateway on a Docker Engine can be tried without authentication"))
		}
		return onTarget((*assembly).verifyWithTrial)(ctx, s)
	}
	c := command{
		system: sys,
		name:   "verify",
		needs:  [][]string{{"gitlab.url"}},
		act:    verify,
	}
	page := c.cobra(&cobra.Command{
		Use:   "verify",
		Short: "Prove that the gateway which runs is the right one, and works",
		Long: `Proves that the gateway which runs is the image that belongs to GitLab's
version, and that it works: by itself, and, with a token that may ask, through
GitLab. Changes nothing, unless verify.repair_url asks for it.

When users are refused and nothing here says why, --bypass-auth tells whether it is
authentication: beside the gateway it starts a second one with the same settings,
WITHOUT AUTHENTICATION, at no address that users know, asks it once, and removes
it. Whoever reaches its networks may use it meanwhile. What the second one does
proves nothing of the first: it never makes the outcome better. If this is killed,
the next upgrade removes it. There is no setting for it: it is never left on.

docs/troubleshooting.md says what each failure means, and what helps.`,
		Example: `  aigw-ci verify
  aigw-ci verify --gateway-url https://gateway.example.com --verify-hold 2m
  aigw-ci verify --target kubernetes --verify-rake kubernetes:gitlab
  aigw-ci verify --bypass-auth       for troubleshooting, on a Docker Engine`,
	})
	page.Flags().BoolVar(&bypass, "bypass-auth", false, "also try a second gateway WITHOUT AUTHENTICATION, for as long as this runs (no setting, no variable)")
	return page
}

var _ upgrade.Trier = (*docker.Target)(nil)

func (a *assembly) verifyWithTrial(ctx context.Context) upgrade.Result {
	return a.job().VerifyWithTrial(ctx)
}
