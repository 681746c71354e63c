package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"aigw-ci/internal/upgrade"
)

// fact is one line of the story: a label and what there is to say.
type fact struct {
	label, text string
	quoted      bool // names from outside, and not a sentence
}

// facts tell the run: what was wanted, how the deployment ended, how the way back
// ended, and what runs now, each apart from the others.
func facts(r upgrade.Result) []fact {
	all := []fact{
		{"gitlab", instanceVersion(r.Release), true},
		{"image", wanted(r.Image), true},
		{"deploy", deployed(r), false},
		{"rollback", rolledBack(r), false},
		{"now", running(r), true},
		{"outage", outage(r.Outage), false},
		{"took", took(r.Phases), false},
	}
	return slices.DeleteFunc(all, func(f fact) bool { return f.text == "" })
}

func instanceVersion(r upgrade.Release) string {
	if r.Source == "" {
		return ""
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%v %s (from %s)", r.Version, r.URL, sourceName(r.Source))), " ")
}

func wanted(i upgrade.Image) string {
	if i.Digest == "" {
		return ""
	}
	return i.Reference()
}

func outage(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return lasted(*d)
}

func sourceName(source string) string {
	switch source {
	case "api":
		return "its API"
	case "predefined":
		return "CI_SERVER_VERSION"
	case "setting":
		return "gitlab.version"
	}
	return source
}

// last is the index of the last phase of that name, -1 without one.
func last(phases []upgrade.Phase, name string) int {
	for i := len(phases) - 1; i >= 0; i-- {
		if phases[i].Name == name {
			return i
		}
	}
	return -1
}

// deployed says how far the new gateway came; empty for a command that deploys none.
func deployed(r upgrade.Result) string {
	promote := last(r.Phases, "promote")
	switch {
	case promote >= 0 && r.Phases[promote].Outcome == "failed":
		return "failed while it was put in place"
	case promote >= 0:
		return "took over; " + judged(r.Checks, upgrade.Live)
	case last(r.Phases, "rehearse") >= 0:
		return "stopped at the rehearsal, before any user saw it; " + judged(r.Checks, upgrade.Rehearsal)
	case len(r.Changes) > 0 && r.Outcome != upgrade.Planned:
		return "not begun"
	}
	return ""
}

// rolledBack says how the way back ended; empty when there was none. What was put
// back before this run promoted anything belongs to an earlier run.
func rolledBack(r upgrade.Result) string {
	restore := last(r.Phases, "restore")
	switch {
	case restore < 0 || restore < last(r.Phases, "promote"):
		return ""
	case r.Phases[restore].Outcome == "failed":
		return "failed: the previous gateway could not be put back"
	case r.After == nil && len(of(r.Checks, upgrade.Restored)) == 0:
		return "the new gateway was removed; there was none before"
	}
	return "the previous gateway was put back; " + judged(r.Checks, upgrade.Restored)
}

// serves is the gateway that its users reach now, nil when that is not known or
// there is none. A run that touched nothing leaves what it found.
func serves(r upgrade.Result) *upgrade.Instance {
	if r.After == nil && last(r.Phases, "promote") < 0 && last(r.Phases, "restore") < 0 {
		return r.Before
	}
	return r.After
}

// running says what its users reach now.
func running(r upgrade.Result) string {
	now := serves(r)
	switch {
	case now == nil && r.Before == nil:
		return ""
	case now == nil:
		return fmt.Sprintf("not known; before this run it was %s (%s)", r.Before.Image, where(r.Place, r.Before))
	}
	image := now.Image
	if sum := digest(now, r.Image); sum != "" && !strings.Contains(image, "@") {
		image += "@" + sum
	}
	return fmt.Sprintf("%s (%s)", image, where(r.Place, now))
}

func where(p upgrade.Place, i *upgrade.Instance) string {
	id := strings.TrimPrefix(i.ID, "sha256:")
	if len(id) == 64 { // a container's
		id = id[:12]
	}
	return strings.Join(strings.Fields(p.Kind+" "+p.Name+" "+id), " ")
}

func of(checks []upgrade.Check, stage upgrade.Stage) []upgrade.Check {
	var some []upgrade.Check
	for _, c := range checks {
		if c.Stage == stage {
			some = append(some, c)
		}
	}
	return some
}

// judged sums up the checks of one stage.
func judged(checks []upgrade.Check, stage upgrade.Stage) string {
	some := of(checks, stage)
	if len(some) == 0 {
		return "it was not verified"
	}
	n := map[upgrade.Verdict]int{}
	for _, c := range some {
		n[c.Verdict]++
	}
	var parts []string
	for _, say := range []struct {
		verdict upgrade.Verdict
		words   string
	}{
		{upgrade.Fail, "failed"},
		{upgrade.Inconclusive, "could not look"},
		{upgrade.Pass, "passed"},
		{upgrade.Warn, "warned"},
		{upgrade.Skip, "skipped"},
	} {
		if n[say.verdict] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[say.verdict], say.words))
		}
	}
	return "checks: " + strings.Join(parts, ", ")
}

func took(phases []upgrade.Phase) string {
	var parts []string
	for _, p := range phases {
		parts = append(parts, p.Name+" "+lasted(p.Took))
	}
	return strings.Join(parts, ", ")
}

func lasted(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// with are the checks of one verdict.
func with(checks []upgrade.Check, v upgrade.Verdict) []upgrade.Check {
	var some []upgrade.Check
	for _, c := range checks {
		if c.Verdict == v {
			some = append(some, c)
		}
	}
	return some
}
