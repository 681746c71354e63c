package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aigw-ci/internal/lab"
)

const usersLong = `Send a gateway what users send, until Ctrl-C, and print once a second how it went. A
question that is answered counts as served, also when the answer is that a token is missing.`

const usersExample = `  aigw-lab users http://127.0.0.1:5052`

func newUsers(stdout io.Writer) *cobra.Command {
	var every time.Duration
	cmd := &cobra.Command{
		Use: "users URL", Short: "Be the users of a gateway", Long: usersLong, Example: usersExample,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			runUsers(cmd.Context(), &lab.Users{URL: strings.TrimSuffix(args[0], "/"), Every: every}, stdout)
			return nil
		},
	}
	cmd.Flags().DurationVar(&every, "every", 100*time.Millisecond, "pause between questions")
	return cmd
}

func runUsers(ctx context.Context, u *lab.Users, w io.Writer) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.Run(ctx)
	}()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			printTally(w, u.Tally())
		case <-done:
			printTally(w, u.Tally())
			return
		}
	}
}

func printTally(w io.Writer, t lab.Tally) {
	fmt.Fprintf(w, "served %d, failed %d, longest outage %.1fs", t.Served, t.Failed, t.Outage.Seconds())
	if t.Last != "" {
		fmt.Fprintf(w, ", last failure: %s", t.Last)
	}
	fmt.Fprintln(w)
}
