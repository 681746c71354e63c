package main

import (
	"context"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"aigw-ci/internal/config"
	"aigw-ci/internal/upgrade"
)

// command is what the commands that do something have in common: settings come
// in, a result comes out, and is reported.
type command struct {
	system
	name  string
	needs [][]string // settings it cannot do without: of each group, one
	act   func(ctx context.Context, s *session) upgrade.Result
	after func(ctx context.Context, s *session) // with the reports written; nil: nothing
}

// cobra completes the page of a command with flags, and makes it run.
func (c command) cobra(page *cobra.Command) *cobra.Command {
	file := page.Flags().String("config", "", "settings file (default "+config.DefaultFile+", when it is there)")
	for _, s := range config.Catalogue() {
		addFlag(page.Flags(), s)
	}
	page.Args = cobra.NoArgs
	page.RunE = func(page *cobra.Command, _ []string) error {
		return c.run(page.Context(), *file, given(page.Flags()))
	}
	return page
}

// addFlag gives a setting its flag. Values are read by package config, which also
// reads them from elsewhere; here they are text.
func addFlag(flags *pflag.FlagSet, s config.Setting) {
	if s.Flag == "" {
		return
	}
	usage := s.Summary
	if s.Default == "" || strings.HasPrefix(s.Default, "$") {
		usage += " (default: " + strings.TrimSpace(s.Otherwise+strings.TrimPrefix(s.Default, "$")) + ")"
	} else {
		usage += " (default " + strings.ReplaceAll(s.Default, "\n", ", ") + ")"
	}
	f := flags.VarPF(&texts{kind: string(s.Type)}, s.Flag, "", usage)
	if s.Type == config.Boolean {
		f.NoOptDefVal = "true"
	}
}

// texts is a flag's value, or values.
type texts struct {
	kind   string
	values []string
}

func (t *texts) String() string     { return strings.Join(t.values, "\n") }
func (t *texts) Type() string       { return t.kind }
func (t *texts) Set(v string) error { t.values = append(t.values, v); return nil }

// given are the flags on the command line, by the name of their setting. A list or
// a map may be given piece by piece; of anything else the last one counts.
func given(flags *pflag.FlagSet) map[string]string {
	values := make(map[string]string)
	for _, s := range config.Catalogue() {
		f := flags.Lookup(s.Flag)
		if s.Flag == "" || !f.Changed {
			continue
		}
		t := f.Value.(*texts)
		values[s.Name] = t.values[len(t.values)-1]
		if s.Type == config.List || s.Type == config.Map {
			values[s.Name] = t.String()
		}
	}
	return values
}

func (c command) run(ctx context.Context, file string, flags map[string]string) error {
	settings, warnings, err := config.Load(ctx, config.Sources{
		File:    file,
		Environ: c.environ,
		Flags:   flags,
		Need:    c.needs,
		Open:    func(name string) (fs.File, error) { return os.Open(name) },
	})
	s, openErr := c.open(settings)
	if err == nil {
		err = openErr
	}
	for _, w := range warnings {
		s.log.Logger().Warn(w)
	}
	var result upgrade.Result
	if err != nil {
		result = s.failed(upgrade.Misused, err)
	} else {
		result = c.act(ctx, s)
	}
	s.report(result)
	if err == nil && c.after != nil {
		c.after(ctx, s)
	}
	return s.close(result)
}
