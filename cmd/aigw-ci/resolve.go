package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"aigw-ci/internal/upgrade"
)

func newResolve(sys system) *cobra.Command {
	c := command{
		system: sys,
		name:   "resolve",
		needs:  [][]string{{"gitlab.url", "gitlab.version"}},
		act:    resolve,
	}
	return c.cobra(&cobra.Command{
		Use:   "resolve",
		Short: "Print the image that belongs to GitLab's version",
		Long: `Prints the image that belongs to GitLab's version, on one line of standard output:
repository:tag@sha256:... Looks at no gateway, and needs neither a Docker Engine nor a
cluster.`,
		Example: `  aigw-ci resolve
  aigw-ci resolve --gitlab-version 18.2.1-ee
  docker pull "$(aigw-ci resolve)"`,
	})
}

func resolve(ctx context.Context, s *session) upgrade.Result {
	a, err := assemble(s)
	if err != nil {
		return s.failed(upgrade.Failed, err)
	}
	platform := s.settings.Image.Platform
	if platform == "" {
		platform = "linux/amd64" // what GitLab documents; there is no target to ask
	}
	r := a.job().Resolve(ctx, platform)
	r.RegistryRequests = a.registry.Requests()
	if r.Err == nil {
		fmt.Fprintln(s.stdout, r.Image.Reference())
	}
	return r
}
