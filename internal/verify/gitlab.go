package verify

import (
	"context"
	"fmt"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// reach is the check gateway.gitlab: can the gateway reach its GitLab? It asks two
// witnesses. The gateway's log is one that never lies but may be old or silent: the
// keys are fetched at the first request of a user. The other is a connection that
// is opened as the gateway would, where the target has a way to do so.
//
// It reports true when no further look could change the verdict.
func (t *trial) reach(ctx context.Context, seen *sheet) (over bool) {
	seen.make(GitLab, func() upgrade.Check {
		said := t.hear(ctx, &over)
		c := t.excuse(ctx, said)
		over = over && c.Verdict == said.Verdict
		t.waited = t.waited || c.Verdict == upgrade.Inconclusive
		return c
	})
	return over
}

// reached reports whether GitLab's keys were seen from inside the gateway.
func reached(c upgrade.Check) bool {
	return c.Verdict == upgrade.Pass || c.Verdict == upgrade.Warn && c.Diagnosis == string(gateway.GitLabWithoutTLS)
}

// inTrouble reports whether GitLab was seen from inside the gateway, and had trouble of
// its own: that explains a gateway's complaints.
func inTrouble(c upgrade.Check) bool { return c.Diagnosis == string(gateway.GitLabInTrouble) }

// hear asks both witnesses. It sets over when no further look could change what they say.
func (t *trial) hear(ctx context.Context, over *bool) upgrade.Check {
	if t.Hurry {
		return skip("not looked at: the job was cancelled, and its time is short")
	}
	var logErr error
	t.findings, logErr = t.diagnose(ctx)
	dialed := t.reachFrom(ctx)
	worst := aboutGitLab(t.findings)
	switch {
	case worst == nil && logErr == nil:
		if dialed.Verdict == upgrade.Skip {
			dialed.Detail += "; its log has no complaint about GitLab"
		}
		return dialed
	case worst == nil: // one witness is missing; the other has to do
		dialed.Detail += fmt.Sprintf("; its log could not be read: %v", logErr)
		if dialed.Verdict == upgrade.Skip {
			dialed = unseen(dialed.Detail, gateway.EngineSilent)
		}
		return dialed
	case dialed.Verdict == upgrade.Fail, // says more than the log
		dialed.Verdict == upgrade.Inconclusive && (!grave(worst) || inTrouble(dialed)): // that line alone decides nothing
		dialed.Detail += "; and " + inLog(*worst)
		return dialed
	case !grave(worst),
		(t.Settled || t.waited) && reached(dialed): // an old line: what it tells of is over
		return warn(dialed.Detail+"; but "+inLog(*worst), worst.ID)
	default:
		// Where the log is the only witness, it is not waited for a kinder one: what
		// is asked meanwhile only moves these lines out of sight.
		*over = !t.Settled || dialed.Verdict == upgrade.Skip
		return fail(complaint(t.findings))
	}
}
