package report

import (
	"fmt"
	"strings"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// A comment in a merge request has room for a million characters, and its reader
// for far fewer.
const (
	maxCell = 300 // bytes
	maxRows = 200
)

// renderSummary renders summary.md, from a report that has been cleaned: the verdict
// first, then what changes, then what was looked at.
func renderSummary(r Report, evidence []string) []byte {
	var b strings.Builder
	res := r.Result
	fmt.Fprintf(&b, "### AI Gateway: %s\n\n**%s**", strings.ReplaceAll(string(res.Outcome), "_", " "), headline(res))
	fmt.Fprintf(&b, " (`aigw-ci %s`, exit code %d)\n", line(res.Command), res.ExitCode())
	if res.Err != nil {
		b.WriteString("\n" + fenced(secret.Cut(plain(res.Err.Error()), 4000)))
	}
	if do := next(res); do != "" {
		b.WriteString("\n" + do + "\n")
	}
	if all := facts(res); len(all) > 0 {
		b.WriteString("\n| | |\n|---|---|\n")
		for _, f := range all {
			text := prose(f.text)
			if f.quoted {
				text = code(f.text)
			}
			row(&b, f.label, text)
		}
	}
	changes(&b, res.Changes)
	failed(&b, res.Checks)
	checks(&b, res.Checks)
	if len(res.Notes) > 0 {
		b.WriteString("\n#### To know\n\n")
		for _, n := range res.Notes {
			fmt.Fprintf(&b, "- %s\n", prose(n))
		}
	}
	if len(evidence) > 0 {
		b.WriteString("\n#### Evidence\n\n")
		for _, name := range evidence {
			fmt.Fprintf(&b, "- %s\n", code(name))
		}
	}
	return []byte(b.String())
}

func changes(b *strings.Builder, all []upgrade.Change) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\n#### Changes\n\n| Setting | From | To |\n|---|---|---|\n")
	for i, c := range all {
		if i == maxRows {
			row(b, fmt.Sprintf("and %d more", len(all)-i), "", "")
			break
		}
		row(b, code(c.Field), code(c.From), code(c.To))
	}
}

// failed comes before the table of all checks: it is what the reader came for.
func failed(b *strings.Builder, all []upgrade.Check) {
	bad := append(with(all, upgrade.Fail), with(all, upgrade.Inconclusive)...)
	if len(bad) == 0 {
		return
	}
	b.WriteString("\n#### What to do\n\n")
	for i, c := range bad {
		if i == maxRows {
			break
		}
		fmt.Fprintf(b, "- %s (%s, %s): %s\n", code(c.ID), c.Stage, c.Verdict, code(c.Detail))
		if c.Remedy != "" {
			fmt.Fprintf(b, "  - %s\n", prose(c.Remedy))
		}
		if page := known(c); page != "" {
			fmt.Fprintf(b, "  - more: %s\n", code(page))
		}
	}
}

func checks(b *strings.Builder, all []upgrade.Check) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\n#### Checks\n\n| Check | Stage | Verdict | Seen | Time |\n|---|---|---|---|---|\n")
	for i, c := range all {
		if i == maxRows {
			row(b, fmt.Sprintf("and %d more", len(all)-i), "", "", "", "")
			break
		}
		row(b, code(c.ID), string(c.Stage), verdictCell(c.Verdict), code(c.Detail), lasted(c.Took))
	}
}

func verdictCell(v upgrade.Verdict) string {
	if v == upgrade.Fail || v == upgrade.Inconclusive {
		return "**" + string(v) + "**"
	}
	return string(v)
}
