package main

import (
	"context"

	"aigw-ci/internal/gitlab"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/verify"
)

// probes look at what lies beyond the gateway, in the contract's order: gitlab.version,
// gitlab.url, gitlab.probes, gitlab.direct_access, gitlab.completion, gitlab.rake.
func (a *assembly) probes() []verify.Probe {
	s := a.settings
	probes := []verify.Probe{a.unchanged}
	for _, rung := range a.gitlab.Ladder(gitlab.Ladder{
		Mode:       gitlab.Mode(s.Verify.GitLab),
		GatewayURL: s.Gateway.URL,
		RepairURL:  s.Verify.RepairURL,
	}) {
		probes = append(probes, rung)
	}
	return append(probes, a.rake())
}

// unchanged is the check gitlab.version. It means something only for a gateway
// that was chosen for GitLab's version and has users.
func (a *assembly) unchanged(ctx context.Context, s upgrade.Subject) upgrade.Check {
	if s.Stage != upgrade.Live || s.Release.Version.Major == 0 {
		return upgrade.Check{ID: "gitlab.version", Verdict: upgrade.Skip, Detail: "looked at on the live gateway, when an image was chosen for GitLab's version"}
	}
	return a.gitlab.Unchanged(ctx, s)
}
