package gateway

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/troubleshooting.md from the catalogue")

// TestTroubleshooting holds docs/troubleshooting.md to the catalogue.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "troubleshooting.md")
	page := troubleshooting()
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page, string(data)); diff != "" {
		t.Errorf("docs/troubleshooting.md is behind the catalogue; `go test ./internal/gateway -run Troubleshooting -update` writes it (-catalogue +page):\n%s", diff)
	}
}

// preface is the page's hand-written part.
const preface = `# Troubleshooting

What goes wrong with a self-hosted AI Gateway, how it looks, and what helps. Look for the check that failed, or for the words you see.

<!-- Generated from internal/gateway/diagnosis.json: change that file, then run
     go test ./internal/gateway -run Troubleshooting -update -->

Where you see it:

- **resolve**, **plan**, **prepare**: in the job log, before anything was changed. The exit code is 3 when there is no image for GitLab's
  version, and else 1.
- **a check** such as ` + "`gateway.healthz`" + `: in the job log, in ` + "`summary.md`" + ` and in the Tests tab. When one fails, the new gateway is not kept:
  exit code 4 when the previous one serves, 5 when none does. In a run that changes nothing it is 1.
- **an inconclusive check** could not look, which is no verdict on the gateway: exit code 6.
- **the gateway's log**: its known errors are named in the checks; its last lines are in ` + "`evidence/logs.txt`" + `.

`

// troubleshooting renders the catalogue as a page: what is seen first.
func troubleshooting() string {
	var b strings.Builder
	b.WriteString(preface)
	b.WriteString("| where | what |\n|---|---|\n")
	where := map[string][]string{}
	each(func(d Diagnosis) {
		for _, s := range d.Shown {
			where[s] = append(where[s], fmt.Sprintf("[%s](#%s)", strings.ReplaceAll(string(d.ID), "-", " "), d.ID))
		}
	})
	for _, s := range inOrder(where) {
		fmt.Fprintf(&b, "| %s | %s |\n", place(s), strings.Join(where[s], " · "))
	}
	for _, c := range catalogue {
		fmt.Fprintf(&b, "\n## %s\n", c.Title)
		for _, d := range c.Entries {
			fmt.Fprintf(&b, "\n<a id=\"%s\"></a>\n### %s\n\n%s\n\n**What helps:** %s\n\n%s\n", d.ID, sentence(d.Seen, ""), sentence(d.Cause, "."), marked(d.Cure+"."), footer(d))
		}
	}
	return b.String()
}

// inOrder sorts what shows something: phases as they come, then checks.
func inOrder(where map[string][]string) []string {
	var sorted []string
	for _, s := range []string{"resolve", "plan", "prepare"} {
		if where[s] != nil {
			sorted = append(sorted, s)
		}
	}
	var checks []string
	for s := range where {
		if strings.Contains(s, ".") {
			checks = append(checks, s)
		}
	}
	slices.Sort(checks)
	return append(sorted, checks...)
}

func place(s string) string {
	if strings.Contains(s, ".") {
		return "`" + s + "`"
	}
	return "**" + s + "**"
}

// footer is where it shows, and where to read on.
func footer(d Diagnosis) string {
	var parts []string
	for _, s := range d.Shown {
		parts = append(parts, place(s))
	}
	text := "Shown by " + strings.Join(parts, ", ")
	if d.Unseen != "" {
		text = "Not seen from a pipeline: " + d.Unseen
	}
	for i, l := range d.Log {
		if i == 0 {
			text += "; log:"
		}
		text += fmt.Sprintf(" `%s`", strings.TrimSpace(l.Text))
	}
	if d.Link != "" {
		text += fmt.Sprintf(" · [%s](%s)", page(d.Link), d.Link)
	}
	return text
}

// page is what a link leads to.
func page(link string) string {
	switch {
	case strings.Contains(link, "/merge_requests/"):
		return "GitLab's merge request"
	case strings.Contains(link, "/issues/"), strings.Contains(link, "/work_items/"):
		return "GitLab's issue"
	}
	return "GitLab's page"
}

// sentence makes a sentence, or a heading, of a text of the catalogue.
func sentence(s, end string) string {
	if first, _, _ := strings.Cut(s, " "); strings.ToLower(first) == first && !strings.ContainsAny(first, `./"`) {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	return marked(s + end)
}

// marked puts names of settings, variables and paths into code style, word by word.
func marked(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		core := strings.Trim(w, `,.;:()"'`)
		if core != "" && isName(core) {
			words[i] = strings.Replace(w, core, "`"+core+"`", 1)
		}
	}
	return strings.Join(words, " ")
}

// isName reports whether a word is written as code: a variable, a setting, a path,
// something with a star.
func isName(w string) bool {
	if strings.Contains(w, "docs.gitlab.com") || strings.HasSuffix(w, ".co") || w == "X.Y.Z" {
		return false
	}
	for _, prefix := range []string{"gateway.", "image.", "registry.", "verify.", "gitlab."} {
		if strings.HasPrefix(w, prefix) {
			return true
		}
	}
	switch {
	case strings.Contains(w, "__"), strings.Contains(w, "_") && strings.ToUpper(w) == w:
		return true
	case w == "ca_file", w == "external_url", strings.HasPrefix(w, "self-hosted-v"), strings.HasPrefix(w, "*_"):
		return true
	case strings.HasPrefix(w, "/") && len(w) > 1, strings.HasPrefix(w, "./"):
		return true
	}
	return strings.HasPrefix(w, "http://") || strings.HasPrefix(w, "https://")
}
