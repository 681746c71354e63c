package report

import (
	"strings"

	"aigw-ci/internal/secret"
)

// Text from outside goes into Markdown as code, where GitLab acts on nothing: no
// mention that notifies people, no reference, no image, no HTML, no quick action.

// code is text as inline code, fit for the cell of a table; empty for no text.
func code(s string) string {
	s = secret.Cut(line(s), maxCell)
	if s == "" {
		return ""
	}
	// A backtick would end the code, and a bar the cell of a table, even inside code.
	// No escape works for both inside and outside of tables.
	return "`" + strings.NewReplacer("`", "'", "|", "¦").Replace(s) + "`"
}

// fenced is text as a block of code, with a fence longer than any in the text.
func fenced(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "text\n" + strings.TrimRight(s, "\n") + "\n" + fence + "\n"
}

// prose is text of this program, such as a remedy, that may quote text from
// outside: shown as it is, with nothing in it acted on.
func prose(s string) string { return proseEscapes.Replace(secret.Cut(line(s), 2*maxCell)) }

// proseEscapes has a zero-width space after the characters that begin a reference
// in GitLab (@user, #issue, !merge request, ~label, %milestone, $snippet, &epic,
// ^alert), because a backslash does not stop those.
// Source: docs.gitlab.com/user/markdown, GitLab-specific references.
var proseEscapes = strings.NewReplacer(
	`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "&#96;", "|", "&#124;",
	"<", "&lt;", ">", "&gt;", "&", "&amp;\u200b",
	"@", "@\u200b", "#", "#\u200b", "!", "!\u200b", "~", "~\u200b", "%", "%\u200b", "$", "$\u200b", "^", "^\u200b",
	"://", ":\u200b//", "www.", "www\u200b.",
)

func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}
