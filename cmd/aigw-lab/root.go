package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"
)

const rootLong = `Run a stand-in estate in the foreground until Ctrl-C: a GitLab that says which version it
is, a registry with the tags of the real gateway repository and thousands of others, and
gateway images that run. Nothing leaves this machine.

While it runs, the control address changes it:

  curl '127.0.0.1:8930/control/version?set=18.3.6-ee'
  curl '127.0.0.1:8930/control/publish?tag=self-hosted-v18.3.2-ee&mode=crash-at-boot'
  curl '127.0.0.1:8930/control/publish?tag=self-hosted-v18.3.2-ee&mode=dies-with-users&after=2s'
  curl '127.0.0.1:8930/control/fault?on=gitlab&kind=rack-attack&times=2'
  curl '127.0.0.1:8930/control/fault?on=gitlab'
  curl '127.0.0.1:8930/control/requests?reset=true'

An unknown mode or kind is answered with those there are.`

const rootExample = `  # GitLab 18.2.1, reachable from containers of the default bridge network
  aigw-lab --also docker0

  # a registry as large as the real one, that wants credentials
  aigw-lab --hash-tags 50000 --private`

// newRoot makes the whole command tree, without any state outside it.
func newRoot(getenv func(string) string, stdout, stderr io.Writer) *cobra.Command {
	var o labOptions
	root := &cobra.Command{
		Use:           "aigw-lab",
		Short:         "A stand-in GitLab, registry and AI Gateway",
		Long:          rootLong,
		Example:       rootExample,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return runLab(cmd.Context(), o, stdout) },
	}
	f := root.Flags()
	f.StringVar(&o.estate.GitLabAddr, "gitlab", "127.0.0.1:8929", "address of GitLab")
	f.StringVar(&o.estate.RegistryAddr, "registry", "127.0.0.1:8931", "address of the registry")
	f.StringVar(&o.control, "control", "127.0.0.1:8930", "address that changes the lab; empty for none")
	f.StringSliceVar(&o.also, "also", nil, "more addresses, or names of interfaces, to listen on with the same ports")
	f.StringVar(&o.estate.Version, "gitlab-version", "18.2.1-ee", "version GitLab says it is")
	f.StringVar(&o.estate.Root, "root", "", "GitLab's relative URL root, such as /gitlab")
	f.IntVar(&o.estate.HashTags, "hash-tags", 5000, "commit-hash tags beside the named ones")
	f.Uint64Var(&o.estate.Seed, "seed", 1, "seed of the commit-hash tags")
	f.StringVar(&o.estate.Binary, "gateway", "", "stand-in gateway to put into images; compiled when empty")
	f.DurationVar(&o.estate.BootDelay, "boot-delay", time.Second, "time a gateway takes to start")
	f.BoolVar(&o.estate.TLS, "tls", false, "serve GitLab and the registry over TLS, with a private authority")
	f.StringVar(&o.caFile, "ca-file", "aigw-lab-ca.pem", "where --tls writes the authority's certificate")
	f.BoolVar(&o.estate.Private, "private", false, "refuse the registry to those without credentials")
	f.BoolVar(&o.estate.OwnRealm, "own-realm", false, "give out registry tokens on the registry's own address")
	root.AddCommand(newGateway(getenv, stdout, stderr), newUsers(stdout), newDemo(getenv, stdout, stderr))
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}
