package main

import "github.com/spf13/cobra"

func newVerify(sys system) *cobra.Command {
	c := command{
		system: sys,
		name:   "verify",
		needs:  [][]string{{"gitlab.url"}},
		act:    onTarget((*assembly).verify),
	}
	return c.cobra(&cobra.Command{
		Use:   "verify",
		Short: "Prove that the gateway which runs is the right one, and works",
		Long: `Proves that the gateway which runs is the image that belongs to GitLab's
version, and that it works. Changes nothing.`,
		Example: `  aigw-ci verify
  aigw-ci verify --gateway-url https://gateway.example.com --verify-hold 2m`,
	})
}
