package gitlab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aigw-ci/internal/upgrade"
)

// Unchanged returns the check gitlab.version: GitLab still runs the version that
// the image was chosen for. A GitLab that went to another minor meanwhile needs
// another gateway; another patch of the same minor does not.
//
// For a gateway that was just promoted that is inconclusive, and not a failure: it
// would be rolled back, to one that fits no better. Both are kept, and the next run,
// which chooses for the new version, ends it.
func (c *Client) Unchanged(ctx context.Context, s upgrade.Subject) upgrade.Check {
	start := time.Now()
	check := c.unchanged(ctx, s.Release)
	if check.Verdict == upgrade.Fail && s.Stage == upgrade.Live && !s.Settled {
		check.Verdict = upgrade.Inconclusive
		check.Detail += "; that is not the gateway's doing, so it stays"
	}
	check.ID, check.Stage, check.Took = "gitlab.version", s.Stage, time.Since(start)
	return check
}

func (c *Client) unchanged(ctx context.Context, resolved upgrade.Release) upgrade.Check {
	was := resolved.Version
	switch resolved.Source {
	case fromSetting:
		return upgrade.Check{Verdict: upgrade.Skip, Detail: fmt.Sprintf("gitlab.version is set to %v; GitLab was not asked", was)}
	case fromPredefined:
		return upgrade.Check{Verdict: upgrade.Skip, Detail: fmt.Sprintf(
			"%v is what CI_SERVER_VERSION said when the job began; GitLab can be asked again only with gitlab.token", was)}
	}
	if resolved.Source != fromAPI || c.api == nil {
		return upgrade.Check{Verdict: upgrade.Skip, Detail: "no version of GitLab was read before"}
	}
	release, err := c.ask(ctx)
	if err != nil {
		return couldNotLook(err)
	}
	switch now := release.Version; {
	case now == was:
		return upgrade.Check{Verdict: upgrade.Pass, Detail: fmt.Sprintf("still %v", now)}
	case now.Line() == was.Line():
		return upgrade.Check{Verdict: upgrade.Pass, Detail: fmt.Sprintf(
			"GitLab went from %v to %v meanwhile; the gateway of %v serves both", was, now, now.Line())}
	default:
		return upgrade.Check{
			Verdict: upgrade.Fail,
			Detail:  fmt.Sprintf("GitLab went from %v to %v while this ran: the gateway was chosen for %v", was, now, was.Line()),
			Remedy:  "run this again: it will choose the gateway for " + now.Line().String(),
		}
	}
}

// couldNotLook is a check on one line: the remedy apart from what was seen.
func couldNotLook(err error) upgrade.Check {
	check := upgrade.Check{Verdict: upgrade.Inconclusive}
	if problem, ok := errors.AsType[*Error](err); ok {
		check.Remedy = problem.Remedy
	}
	check.Detail, _, _ = strings.Cut(err.Error(), "\n")
	return check
}
