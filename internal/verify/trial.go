package verify

import (
	"context"
	"fmt"
	"net"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// settledPatience is what a gateway gets that has had its time to start: enough
// to outlast a blip.
const settledPatience = 10 * time.Second

// trial is one judgement: its subject, and what has been learnt of it so far.
type trial struct {
	*Gate
	upgrade.Subject

	line  *version.Line // nil: it is not known which release the gateway is of
	needs gateway.Needs // of that line

	first *upgrade.State   // the process when it was first seen; nil until then
	last  upgrade.State    // the process as it was last seen
	road  upgrade.Endpoint // the gateway's own address
	own   *visitor         // on road; nil until it is found
	front *visitor         // where users come in; nil when that is the own address

	nameless *net.DNSError // why users cannot come in yet; nil when they can

	findings []gateway.Finding // in its log, as it was last read
	waited   bool              // GitLab gave no answer at some look before
}

func newTrial(g *Gate, s upgrade.Subject) *trial {
	t := &trial{Gate: g, Subject: s}
	if line, ok := lineOf(s); ok {
		t.line, t.needs = &line, gateway.For(line)
	}
	if g.o.GatewayURL != "" && s.Stage != upgrade.Rehearsal {
		t.front = g.visitFront()
	}
	return t
}

// lineOf is the release that a gateway should be of. GitLab's own release tells
// that only of an image that was chosen for it: a gateway that was put back after
// GitLab's upgrade is of an older one, and no worse for it.
func lineOf(s upgrade.Subject) (version.Line, bool) {
	if line, ok := s.Image.Line(); ok {
		return line, true
	}
	known := s.Image != (upgrade.Image{}) && s.Release.Version.Major > 0
	return s.Release.Version.Line(), known
}

// judge looks until it is sure. The sheet it returns is that of the last look.
func (t *trial) judge(ctx context.Context) *sheet {
	begin := time.Now()
	t.detour(ctx)
	need := t.o.Successes
	if t.Settled || t.Glance || t.Hurry {
		need = 1
	}
	var told narrator
	for streak := 0; ; pause(ctx, t.o.Interval) {
		seen, over := t.look(ctx)
		if !over && seen.verdict() == upgrade.Pass {
			streak++
		} else {
			streak = 0
		}
		if streak == need {
			seen, over = t.prove(ctx, seen)
			streak = 0
		}

		switch {
		case over:
		case ctx.Err() != nil:
			seen.interrupt()
			return seen
		case t.Glance, streak == 0 && !time.Now().Before(t.deadline(begin)):
			// One that begins to answer at the last moment may finish its row.
		default:
			told.tell(t.log, seen, time.Until(t.deadline(begin)))
			continue
		}
		t.consult(ctx, seen)
		return seen
	}
}

// prove takes a gateway that has answered often enough through the rest: its way
// to GitLab, and the hold. It returns false when polling has to go on.
func (t *trial) prove(ctx context.Context, seen *sheet) (*sheet, bool) {
	over := t.reach(ctx, seen)
	over = t.openDoor(seen) || over
	gitlab := seen.get(GitLab)
	if over || seen.hindered(GitLab) || ctx.Err() != nil {
		return seen, over
	}

	begin := time.Now()
	rest := t.rest()
	if rest > 0 {
		t.log.Info("the gateway answers; now it has to stay up", "for", rest.Round(time.Second))
	}
	for looks := 1; ; looks++ {
		held := time.Since(begin)
		if held >= rest {
			t.conclude(ctx, seen, held, looks)
			return seen, ctx.Err() == nil
		}
		pause(ctx, min(t.o.Interval, rest-held))
		seen, over = t.look(ctx)
		seen.put(GitLab, gitlab)
		switch verdict := seen.verdict(); {
		case over, ctx.Err() != nil:
			return seen, over
		case verdict == upgrade.Fail:
			return seen, t.relapse(ctx, seen, time.Since(begin))
		case verdict != upgrade.Pass:
			return seen, false
		}
	}
}

// relapse judges a gateway that answered, and after a while did not. Its process is
// looked at once more, a moment later: that it ended says more than an unanswered
// request, and some targets notice an end only then. Where the target is silent too, it
// may be the road that broke. It returns false when polling has to go on.
func (t *trial) relapse(ctx context.Context, seen *sheet, after time.Duration) (over bool) {
	pause(ctx, t.o.Interval)
	process := newSheet()
	ended := t.process(ctx, process)
	stable := process.get(Stable)
	switch {
	case ctx.Err() != nil:
		return false
	case ended:
		seen.put(Stable, stable)
		return true
	case stable.Verdict == upgrade.Inconclusive && t.front == nil:
		for _, c := range seen.complaints() {
			seen.put(c.ID, unseen(c.Detail, gateway.NoRoad))
		}
		seen.put(Stable, stable)
		return false
	}
	seen.put(Stable, fail(fmt.Sprintf("answered at first, and %s later: %s", after.Round(time.Second), seen.summary()), gateway.FailedInHold))
	return true
}

// rest is how long the gateway still has to stay up.
func (t *trial) rest() time.Duration {
	if t.Glance || t.Hurry {
		return 0
	}
	hold := t.o.Hold
	// The target's clock may be ahead of ours; then nothing is credited.
	if up := time.Since(t.last.Started); t.Settled && !t.last.Started.IsZero() && up > 0 {
		hold -= up
	}
	return max(hold, 0)
}

// deadline is when a gateway must have passed. For a settled one the clock has
// run since its process started.
func (t *trial) deadline(begin time.Time) time.Time {
	latest := begin.Add(t.o.Timeout)
	if !t.Settled {
		return latest
	}
	own := t.last.Started.Add(t.o.Timeout)
	if least := begin.Add(settledPatience); own.Before(least) {
		own = least
	}
	if own.After(latest) {
		return latest
	}
	return own
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (t *trial) close() {
	t.front.close()
	t.own.close()
}
