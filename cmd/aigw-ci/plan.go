package main

import "github.com/spf13/cobra"

func newPlan(sys system) *cobra.Command {
	c := command{
		system: sys,
		name:   "plan",
		needs:  [][]string{{"gitlab.url", "gitlab.version"}},
		act:    onTarget((*assembly).plan),
	}
	return c.cobra(&cobra.Command{
		Use:   "plan",
		Short: "Show what upgrade would do; change nothing",
		Long: `Shows what upgrade would do, field by field, and changes nothing.

With gitlab.version it plans for a GitLab that is not installed yet.`,
		Example: `  aigw-ci plan
  aigw-ci plan --gitlab-version 18.5.0-ee`,
	})
}
