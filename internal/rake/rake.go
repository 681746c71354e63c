// Package rake asks GitLab itself whether it can use the gateway: it runs GitLab's
// own check, the rake task gitlab:duo:verify_self_hosted_setup, on the GitLab node,
// and reads what the task says. The result is the check gitlab.rake.
//
// The task's exit status proves little: it is 0 as soon as the gateway's address is
// set, the licence is good and /monitoring/healthz answers 200, whatever else
// failed. So its words are read: the marks of its text, and the summary in JSON that
// later releases print at the end. What is in neither is not believed, in either
// direction: output that nobody knows is inconclusive.
//
// The summary holds licence data and whole answers of servers. Nothing of it is
// repeated but status words and addresses; a line of the text is quoted only when it
// is the one that says what is wrong, without what looks like a secret.
//
// What the task does in each release is from GitLab's sources,
// ee/lib/gitlab/duo/administration/verify_self_hosted_setup.rb, and from
// docs.gitlab.com/administration/gitlab_duo_self_hosted/troubleshooting.
package rake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// ID is the check's name in the contract.
const ID = "gitlab.rake"

// Mode is the setting verify.gitlab.
type Mode string

const (
	Auto     Mode = "auto"     // look where there is a way to
	Required Mode = "required" // looking is demanded: no way to is not passed over
	Off      Mode = "off"
)

// Options say how to run the task and what to compare its result with.
type Options struct {
	Mode Mode
	Way  Way // setting verify.rake; the zero Way when it is not set

	// Runner runs commands on Way. It may be nil when Way is local.
	Runner Runner
	// Root says that this process is root, and that a local command needs no sudo.
	Root bool

	// User is the GitLab user that the task checks for; empty is root, the task's
	// default.
	User string

	// SwitchFlagOn consents to the task's oldest form, which switches GitLab's
	// feature flag ai_custom_model on and leaves it on.
	SwitchFlagOn bool

	// GatewayURL is the gateway that was deployed, the setting gateway.url. When the
	// task looked at another one, it says nothing about this one. Empty when unknown.
	GatewayURL string

	// Redactor takes secrets out of what is quoted; nil knows none but their shapes.
	Redactor *secret.Redactor

	Log *slog.Logger // nil discards
}

// flagless is the first line whose task can be run without asking: in 17.8 the
// feature flag ai_custom_model, which the first form of the task switches on, was
// removed. Source: docs.gitlab.com/administration/gitlab_duo_self_hosted, history.
var flagless = version.Line{Major: 17, Minor: 8}

// Check returns the check gitlab.rake. It looks at a gateway that has users, once,
// and takes as long as GitLab takes to start: about a minute. It waits for that
// only as long as its context lets it.
func Check(o Options) func(context.Context, upgrade.Subject) upgrade.Check {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Runner == nil && o.Way.Kind == Local {
		o.Runner = Machine{}
	}
	return func(ctx context.Context, s upgrade.Subject) upgrade.Check {
		c := o.check(ctx, s)
		c.ID, c.Stage = ID, s.Stage
		return c
	}
}

func (o Options) check(ctx context.Context, s upgrade.Subject) upgrade.Check {
	if c, over := o.excused(s); over {
		return c
	}
	command, err := o.Way.Command(o.User, o.Root)
	if err != nil {
		return unseen(err.Error(), "correct the user that GitLab's check is made for")
	}
	o.Log.Info("GitLab checks its gateway itself; it takes a while to start", "task", Task, "way", o.Way.String())
	stdout, stderr, exit, err := o.Runner.Run(ctx, command)
	if err != nil {
		return o.notRun(ctx, err)
	}
	out := readOutput(stdout, stderr, exit)
	// Before lines are quoted one by one: a key has several.
	out.errors, out.text = o.Redactor.Lines(out.errors), o.Redactor.Lines(out.text)
	c := o.judge(out, s.Release.Version)
	c.Detail = o.Way.String() + ": " + c.Detail
	return c
}

// excused is the check where the task is not run.
func (o Options) excused(s upgrade.Subject) (c upgrade.Check, over bool) {
	gitlab := s.Release.Version
	switch {
	case o.Mode == Off:
		return skip("verify.gitlab is off"), true
	case s.Stage != upgrade.Live:
		return skip("GitLab knows only the gateway that its users reach"), true
	case o.Way == Way{} && o.Mode == Required:
		// Not a failure: that nobody looked is no reason to take a gateway away.
		return unseen("verify.gitlab is required, and verify.rake does not say how to reach the GitLab node",
			"set verify.rake to docker:NAME, kubernetes:NAMESPACE, ssh:USER@HOST or local; or set verify.gitlab to auto"), true
	case o.Way == Way{}:
		return skip("verify.rake is not set"), true
	case o.Runner == nil:
		return unseen("there is no way to "+o.Way.String()+" from here", "set verify.rake to a place that this job can reach"), true
	case o.SwitchFlagOn:
		return c, false
	case gitlab == version.GitLab{}:
		return skip("GitLab's version is not known; before " + flagless.String() + " its check switches a feature flag on, and nobody consented"), true
	case gitlab.Line().Compare(flagless) < 0:
		return skip(fmt.Sprintf("the check of GitLab %v may switch its feature flag ai_custom_model on and leave it on, and nobody consented", gitlab)), true
	}
	return c, false
}

// notRun is the check when the command could not be started, or its end not seen.
func (o Options) notRun(ctx context.Context, err error) upgrade.Check {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return unseen(o.Way.String()+": GitLab's check did not end in time", "look whether the GitLab node is overloaded: the check has to start GitLab's whole application")
	}
	seen, remedy, told := strings.Cut(o.Redactor.String(err.Error()), "\n")
	if !told {
		remedy = "correct verify.rake, or open that way to this job"
	}
	return unseen(o.Way.String()+": "+o.quote(seen, 2*maxQuote), strings.ReplaceAll(o.quote(remedy, 5*maxQuote), "\n", "; "))
}

// judge is the verdict on what the task said.
func (o Options) judge(out output, gitlab version.GitLab) upgrade.Check {
	if out.exit != 0 {
		return o.aborted(out, gitlab)
	}
	switch {
	case out.summary != nil:
		return o.fold(out)
	case out.broken:
		return unseen("GitLab's check ended without an error, but its summary cannot be read", "run the check by hand: "+byHand)
	}
	return o.marked(out)
}

// byHand is the command as GitLab's documentation gives it.
const byHand = `sudo gitlab-rake "` + Task + `"`

func skip(detail string) upgrade.Check {
	return upgrade.Check{Verdict: upgrade.Skip, Detail: detail}
}

func fail(detail, remedy string) upgrade.Check {
	return upgrade.Check{Verdict: upgrade.Fail, Detail: detail, Remedy: remedy}
}

// unseen is a check that could not look.
func unseen(detail, remedy string) upgrade.Check {
	return upgrade.Check{Verdict: upgrade.Inconclusive, Detail: detail, Remedy: remedy}
}
