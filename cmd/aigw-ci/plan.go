package main

import "github.com/spf13/cobra"

func newPlan(sys system) *cobra.Command {
	c := command{
		system: sys,
		name:   "plan",
		needs:  [][]string{{"gitlab.url", "gitlab.version"}},
		act:    onTarget((*assembly).plan),
		after:  comment,
	}
	return c.cobra(&cobra.Command{
		Use:   "plan",
		Short: "Show what upgrade would do; change nothing",
		Long: `Shows what upgrade would do, field by field, and changes nothing.

With gitlab.version it plans for a GitLab that is not installed yet.

In the pipeline of a merge request, and with a gitlab.token that has scope api, it
leaves the plan there as a comment, and changes that same comment the next time.`,
		Example: `  aigw-ci plan
  aigw-ci plan --gitlab-version 18.5.0-ee
  aigw-ci plan --target kubernetes --kubernetes-context infrastructure/clusters:production`,
	})
}
