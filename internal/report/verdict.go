package report

import (
	"fmt"
	"strings"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// maxDetail is the most of one check's detail or remedy that the job log shows, in
// bytes. The reports have all of it.
const maxDetail = 600

// renderVerdict renders the last lines of a job log, from a result that has been
// cleaned: what happened, how each part ended, and what to do.
func renderVerdict(r upgrade.Result, paint func(colour, string) string) string {
	var b strings.Builder
	title := strings.ToUpper(strings.ReplaceAll(string(r.Outcome), "_", " "))
	fmt.Fprintf(&b, "\n%s  aigw-ci %s, exit code %d\n", paint(tone(r), title), line(r.Command), r.ExitCode())
	fmt.Fprintf(&b, "%s\n", headline(r))
	if r.Err != nil {
		fmt.Fprintf(&b, "%s\n", indent(secret.Cut(plain(r.Err.Error()), 4000), "  "))
	}

	if all := facts(r); len(all) > 0 {
		b.WriteByte('\n')
		for _, f := range all {
			fmt.Fprintf(&b, "  %-10s%s\n", f.label, line(f.text))
		}
	}
	list(&b, "Failed", with(r.Checks, upgrade.Fail))
	list(&b, "Could not look", with(r.Checks, upgrade.Inconclusive))
	list(&b, "Warnings", with(r.Checks, upgrade.Warn))
	if len(r.Notes) > 0 {
		b.WriteString("\nTo know\n")
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "  - %s\n", secret.Cut(line(n), maxDetail))
		}
	}
	if do := next(r); do != "" {
		fmt.Fprintf(&b, "\nNext\n  %s\n", do)
	}
	return b.String()
}

// list writes checks with their remedies beneath a title.
func list(b *strings.Builder, title string, checks []upgrade.Check) {
	if len(checks) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, c := range checks {
		fmt.Fprintf(b, "  %s (%s): %s\n", line(c.ID), line(string(c.Stage)), secret.Cut(line(c.Detail), maxDetail))
		if c.Remedy != "" {
			fmt.Fprintf(b, "    what to do: %s\n", secret.Cut(line(c.Remedy), maxDetail))
		}
		if page := known(c); page != "" {
			fmt.Fprintf(b, "    more: %s\n", page)
		}
	}
}

// known is where this program's documentation says more about what a check found;
// empty when it does not.
func known(c upgrade.Check) string {
	if c.Diagnosis == "" {
		return ""
	}
	return "docs/troubleshooting.md#" + secret.Cut(line(c.Diagnosis), 100)
}

// tone is the colour of an outcome: red where the gateway or the user needs a
// person, yellow where users are served and something is still to be read.
func tone(r upgrade.Result) colour {
	switch {
	case r.ExitCode() == 0:
		return green
	case r.Outcome == upgrade.Rejected, r.Outcome == upgrade.RolledBack, r.Outcome == upgrade.Undecided,
		r.Outcome == upgrade.Locked, r.Outcome == upgrade.Cancelled:
		return yellow
	}
	return red
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by)
}
