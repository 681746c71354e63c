package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"aigw-ci/internal/upgrade"
)

// run runs one command line and returns the exit code.
func run(ctx context.Context, args []string, sys system) int {
	root := newRoot(sys)
	root.SetArgs(args)
	root.SetIn(sys.stdin)
	root.SetOut(sys.stdout)
	root.SetErr(sys.stderr)
	err := root.ExecuteContext(ctx)

	var ended *endedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.code
	}
	// What is left are command lines that cobra does not understand.
	fmt.Fprintf(sys.stderr, "aigw-ci: %v\nSee 'aigw-ci --help'.\n", err)
	return upgrade.Result{Outcome: upgrade.Misused}.ExitCode()
}

// endedError ends the program with an exit code. Everything was said already.
type endedError struct{ code int }

func (e *endedError) Error() string { return fmt.Sprintf("exit %d", e.code) }

func newRoot(sys system) *cobra.Command {
	root := &cobra.Command{
		Use:   "aigw-ci",
		Short: "Keep a self-hosted GitLab AI Gateway in step with its GitLab",
		Long: `aigw-ci keeps a self-hosted GitLab AI Gateway in step with its GitLab.

It reads GitLab's version, finds the gateway image that belongs to it, proves it
beside the running gateway, puts it in its place, proves it again, and puts the
old gateway back, proven too, when anything fails.

Settings come from .aigw.yml, from AIGW_CI_... variables and from flags; the
flag wins. Reports are written to the directory aigw-ci.

Exit codes:
  0  the right image runs and is verified (also: nothing to do)
  1  failed before the new version could be judged; nothing was changed
  2  a wrong command or setting; nothing was contacted
  3  no image for this GitLab version
  4  the new version failed; the previous one serves and is verified
  5  the new version failed, and so did the way back: a person is needed
  6  inconclusive: something could not be looked at
  7  another run is at work on this gateway
  8  cancelled; the previous gateway serves and is verified`,
		Example: `  aigw-ci plan                       what would change
  aigw-ci upgrade                    bring the gateway to GitLab's version
  aigw-ci verify                     is what runs the right image, and does it work?
  aigw-ci plan --target kubernetes   the same for a Helm release`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddCommand(
		newUpgrade(sys), newPlan(sys), newVerify(sys), newRollback(sys), newResolve(sys),
		newVersion(sys), newRelay(sys), newRelayWait(sys),
	)
	return root
}
