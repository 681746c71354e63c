package main

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"aigw-ci/internal/jobimage"
)

// surroundings are what a run is given.
type surroundings struct {
	getenv         func(string) string
	proxy          func(*http.Request) (*url.URL, error)
	compile        jobimage.Compiler // nil: the go command, with the sources' own Go
	stdout, stderr io.Writer
}

// place is where a run finds and leaves things.
type place struct{ root, layout string }

const rootLong = `Build the job image of aigw-ci from these sources, pin it in the templates, publish it.

The image has no base: it is compiled, packed and compressed by the Go that go.mod
names, and has the same digest wherever that is done.`

const rootExample = `  # the image, as an OCI layout in build/image; its digest is printed
  aigw-image build

  # before a release: write version and digest into templates/*.yml
  aigw-image pin

  # does a published image come from these sources?
  aigw-image check

  # publish what was built; credentials as docker and GitLab CI have them
  aigw-image push registry.example.com/tools/aigw-ci:1.2.3`

func newRoot(sys surroundings) *cobra.Command {
	var at place
	root := &cobra.Command{
		Use:           "aigw-image",
		Short:         "Build, pin and publish the job image",
		Long:          rootLong,
		Example:       rootExample,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	f := root.PersistentFlags()
	f.StringVar(&at.root, "sources", ".", "directory of the sources")
	f.StringVar(&at.layout, "layout", "build/image", "directory of the built image, an OCI layout")

	var load string
	build := &cobra.Command{
		Use:   "build",
		Short: "Build the image and print its digest",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return build(cmd.Context(), sys, at, load)
		},
	}
	build.Flags().StringVar(&load, "archive", "", "also write this machine's image to a file for \"docker load\"")
	var tag string
	check := command("check", "Build the image and fail when templates/*.yml name another one", cobra.NoArgs,
		func(ctx context.Context, _ []string) error { return checkTemplates(ctx, sys, at, tag) })
	check.Flags().StringVar(&tag, "tag", "", "also fail when the file VERSION is not this git tag")
	root.AddCommand(build,
		command("pin", "Build the image and write its version and digest into templates/*.yml", cobra.NoArgs,
			func(ctx context.Context, _ []string) error { return pinTemplates(ctx, sys, at) }),
		check,
		command("notes REPOSITORY", "Print the release notes, from CHANGELOG.md and the built image", cobra.ExactArgs(1),
			func(_ context.Context, args []string) error { return notes(sys, at, args[0]) }),
		command("push REFERENCE...", "Publish the built image; a tag that is another image is not moved", cobra.MinimumNArgs(1),
			func(ctx context.Context, references []string) error { return push(ctx, sys, at, references) }),
	)
	root.SetOut(sys.stdout)
	root.SetErr(sys.stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}

func command(use, short string, args cobra.PositionalArgs, run func(context.Context, []string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
		RunE:  func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) },
	}
}
