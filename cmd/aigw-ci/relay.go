package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"aigw-ci/internal/road"
)

// The two hidden commands are this program's other half: a copy of it that the
// engine runs in a helper container, where no other road leads to a gateway.

func newRelay(sys system) *cobra.Command {
	return &cobra.Command{
		Use:    "relay HOST:PORT",
		Short:  "Join standard input and output with a TCP connection",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := road.Relay(c.Context(), sys.stdin, sys.stdout, args[0]); err != nil {
				return &endedError{1} // the other half was told on standard output
			}
			return nil
		},
	}
}

func newRelayWait(sys system) *cobra.Command {
	return &cobra.Command{
		Use:    "relay-wait",
		Short:  "Wait for the end of standard input",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := road.Wait(c.Context(), sys.stdin); err != nil && !errors.Is(err, context.Canceled) {
				return &endedError{1}
			}
			return nil
		},
	}
}
