package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(sys system) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Args:    cobra.NoArgs,
		Example: `  aigw-ci version`,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(sys.stdout, "aigw-ci %s %s/%s %s\n", release, runtime.GOOS, runtime.GOARCH, runtime.Version())
			return err
		},
	}
}
