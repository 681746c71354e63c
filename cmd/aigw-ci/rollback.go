package main

import "github.com/spf13/cobra"

func newRollback(sys system) *cobra.Command {
	c := command{
		system: sys,
		name:   "rollback",
		needs:  [][]string{{"gitlab.url"}},
		act:    onTarget((*assembly).rollBack),
	}
	return c.cobra(&cobra.Command{
		Use:   "rollback",
		Short: "Bring back the image that ran before the last upgrade",
		Long: `Brings back the image that ran before the last upgrade, with the settings of the
gateway that runs now. It goes the way of an upgrade: rehearsed, promoted, proven.

After an interrupted upgrade the container that was set aside, or the revision that
served before, is put back as it is.

Run once more, it proves what it brought back, and stays there: a job that is tried
again does not bring back what was left.

The next upgrade follows GitLab's version again; pin image.tag to stay.`,
		Example: `  aigw-ci rollback
  aigw-ci rollback --target kubernetes`,
	})
}
