package gitlab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// Mode is the setting verify.gitlab: what a check through GitLab does when its
// credential is missing.
type Mode string

const (
	Auto     Mode = "auto"     // it is skipped, with the reason
	Required Mode = "required" // it fails
	Off      Mode = "off"      // no such check is made
)

// Ladder says how to look at a gateway through GitLab.
type Ladder struct {
	Mode Mode // empty means Auto

	// GatewayURL is the setting gateway.url, which is what GitLab should use. Empty
	// when it is not known; then nothing is compared with it, and nothing repaired.
	GatewayURL string

	// RepairURL is the setting verify.repair_url: a "Local AI Gateway URL" of GitLab
	// that is empty or another is set to GatewayURL.
	RepairURL bool
}

// Probe is one check of a ladder, made once.
type Probe = func(context.Context, upgrade.Subject) upgrade.Check

// Ladder returns the checks of the road from a user through GitLab to the gateway,
// each of which shows more of it than the one before: gitlab.url and gitlab.probes,
// which take an administrator's token, then gitlab.direct_access and
// gitlab.completion, which take one with scope ai_features of a user with GitLab Duo.
// The functions share what they learn, and are called one after the other.
//
// They look at the live gateway. On one that was put back only the last two are
// made: they show that users are served, and the others are about GitLab. GitLab
// knows nothing of a rehearsal, so there they are skipped; but with Required, a
// credential that cannot do fails there, before anything is touched.
//
// What is wrong with GitLab's settings, and not with the gateway, fails for a
// gateway that has settled, and is inconclusive for a new one: taking it away from
// its users would put nothing right.
//
// A GitLab that restarts, is in maintenance or shows a web page is waited for, see
// Options.Patience, and is inconclusive in the end. Once it was waited for in vain,
// the next checks do not wait again.
func (c *Client) Ladder(o Ladder) []Probe {
	l := &ladder{Client: c, o: o}
	return []Probe{
		l.rung("gitlab.url", false, []string{"api", "read_api"}, l.url),
		l.rung("gitlab.probes", false, []string{"api", "read_api"}, l.probes),
		l.rung("gitlab.direct_access", true, []string{"api", "ai_features"}, l.directAccess),
		l.rung("gitlab.completion", true, []string{"api", "ai_features"}, l.completion),
	}
}

// ladder is what the rungs share.
type ladder struct {
	*Client
	o Ladder

	away atomic.Bool              // GitLab was waited for in vain
	self atomic.Pointer[selfInfo] // nil: not asked yet
}

// rung makes a check of climb, whose request needs one of the scopes.
func (l *ladder) rung(id string, restored bool, scopes []string, climb func(context.Context, upgrade.Subject) finding) Probe {
	return func(ctx context.Context, s upgrade.Subject) upgrade.Check {
		start := time.Now()
		check := l.judge(l.look(ctx, s, restored, scopes, climb), s)
		check.ID, check.Stage, check.Took = id, s.Stage, time.Since(start)
		return check
	}
}

func (l *ladder) look(ctx context.Context, s upgrade.Subject, restored bool, scopes []string, climb func(context.Context, upgrade.Subject) finding) finding {
	switch {
	case l.o.Mode == Off:
		return skipped("verify.gitlab is off")
	case s.Stage == upgrade.Restored && !restored:
		return skipped("about GitLab, not about the gateway that was put back")
	case s.Stage == upgrade.Rehearsal && l.o.Mode != Required:
		return skipped(unknownToGitLab)
	case l.api == nil:
		return denied("gitlab.token is not set", "put into gitlab.token "+owner(scopes))
	}
	self := l.describe(ctx)
	if !self.allows(scopes) {
		return denied(fmt.Sprintf("the scopes of gitlab.token are %s, and this needs %s",
			strings.Join(self.scopes, ", "), strings.Join(scopes, " or ")), "put into gitlab.token "+owner(scopes))
	}
	if s.Stage == upgrade.Rehearsal {
		return skipped(unknownToGitLab)
	}
	f := climb(ctx, s)
	if warning := self.expires(time.Now()); warning != "" && f.is != inapplicable {
		f.detail += "; " + warning
	}
	return f
}

const unknownToGitLab = "GitLab does not know of a rehearsal; looked at on the live gateway"

// owner is the token that a rung with these scopes needs, in words.
func owner(scopes []string) string {
	if slices.Contains(scopes, "ai_features") {
		return "a token with scope ai_features (or api) of a user who has GitLab Duo"
	}
	return "a personal access token of an administrator with scope read_api (or api); with Admin Mode also admin_mode"
}

// kind is what was found, before the mode and the gateway's age have a say.
type kind int

const (
	passed       kind = iota
	warning           // should be read, decides nothing
	failed            // seen, and the gateway's doing
	misset            // seen, and not the gateway's doing
	invisible         // could not be looked at
	inapplicable      // nothing to look at
	lacking           // the credential is missing, or cannot do this
	rejected          // the credential is there, and GitLab does not take it
)

// finding is what a rung saw.
type finding struct {
	is             kind
	detail, remedy string
	known          gateway.DiagnosisID // empty: the catalogue does not have it
}

func pass(detail string) finding         { return finding{is: passed, detail: detail} }
func warn(detail, remedy string) finding { return finding{is: warning, detail: detail, remedy: remedy} }
func fail(detail, remedy string) finding { return finding{is: failed, detail: detail, remedy: remedy} }
func settings(detail, remedy string) finding {
	return finding{is: misset, detail: detail, remedy: remedy}
}
func unseen(detail, remedy string) finding {
	return finding{is: invisible, detail: detail, remedy: remedy}
}
func skipped(detail string) finding { return finding{is: inapplicable, detail: detail} }
func denied(detail, remedy string) finding {
	return finding{is: lacking, detail: detail, remedy: remedy}
}
func notTaken(detail, remedy string) finding {
	return finding{is: rejected, detail: detail, remedy: remedy}
}

// as is a finding that the catalogue knows. Its cure is the remedy where the finding
// has none of its own.
func (f finding) as(id gateway.DiagnosisID) finding {
	f.known, f.remedy = id, cmp.Or(f.remedy, id.Cure())
	return f
}

// judge is the one table from a finding to a verdict.
func (l *ladder) judge(f finding, s upgrade.Subject) upgrade.Check {
	check := upgrade.Check{Detail: f.detail, Remedy: f.remedy, Diagnosis: string(f.known)}
	demanded := l.o.Mode == Required
	switch f.is {
	case passed:
		check.Verdict = upgrade.Pass
	case warning:
		check.Verdict = upgrade.Warn
	case failed:
		check.Verdict = upgrade.Fail
	case inapplicable:
		check.Verdict = upgrade.Skip
	case misset:
		check.Verdict = upgrade.Fail
		if s.Stage == upgrade.Live && !s.Settled {
			check.Verdict = upgrade.Inconclusive
			check.Detail += "; that is not the gateway's doing, so it stays"
		}
	case lacking:
		check.Verdict = upgrade.Skip
		if demanded {
			check.Verdict = upgrade.Fail
			check.Remedy += "; or set verify.gitlab to auto"
		}
	case rejected:
		check.Verdict = upgrade.Inconclusive
		if demanded {
			check.Verdict = upgrade.Fail
		}
	default:
		check.Verdict = upgrade.Inconclusive
	}
	return check
}

// ask is Client.patiently, unless GitLab was waited for in vain before.
func (l *ladder) ask(ctx context.Context, question func(context.Context) error) error {
	if l.away.Load() {
		err := attempt(ctx, lastAttempt, question)
		l.away.Store(isPassing(err))
		return err
	}
	err := l.patiently(ctx, question)
	l.away.Store(isPassing(err))
	return err
}

func isPassing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.passing
}

// line is the minor release GitLab runs; zero when it cannot be told.
func (l *ladder) line(ctx context.Context, s upgrade.Subject) version.Line {
	if s.Release.Version.Major != 0 {
		return s.Release.Version.Line()
	}
	if l.setting != nil {
		return l.setting.Line()
	}
	var line version.Line
	_ = l.ask(ctx, func(ctx context.Context) error {
		_, v, err := l.api.metadata(ctx)
		line = v.Line()
		return err
	})
	return line
}

// before reports whether a line is known and older than another.
func before(l, other version.Line) bool { return l.Major != 0 && l.Compare(other) < 0 }

// trouble is what a request without a usable answer says about the credential or
// about GitLab. What it says about the gateway the rung has looked at before.
func trouble(err error, scopes ...string) finding {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return unseen(firstLine(err), frontRemedy)
	}
	said := strings.ToLower(e.Excerpt)
	switch {
	case e.Status == http.StatusUnauthorized && e.refused:
		return notTaken(e.sentence(), "put into gitlab.token "+owner(scopes))
	case e.Status == http.StatusForbidden && e.refused && (strings.Contains(said, "insufficient_scope") || strings.Contains(said, "granular_scope")):
		return denied(e.sentence(), "put into gitlab.token "+owner(scopes))
	case e.Status == http.StatusForbidden && e.refused:
		return notTaken(e.sentence(), e.Remedy)
	}
	return unseen(e.sentence(), e.Remedy)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return cut(printable(line))
}
