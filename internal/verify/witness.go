package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// logLines is how much of the log is read: the end of it, which is what matters.
const logLines = 200

// diagnose finds the known errors in the gateway's log.
func (t *trial) diagnose(ctx context.Context) ([]gateway.Finding, error) {
	lines, err := t.tail(ctx)
	return gateway.Diagnose(lines), err
}

func (t *trial) tail(ctx context.Context) ([]string, error) {
	bounded, cancel := context.WithTimeout(ctx, targetTimeout)
	defer cancel()
	return t.Gateway.Logs(bounded, logLines)
}

// aboutGitLab is the gravest finding that is about the way to GitLab; nil when
// there is none.
func aboutGitLab(findings []gateway.Finding) *gateway.Finding {
	return gravest(slices.DeleteFunc(slices.Clone(findings), func(f gateway.Finding) bool { return !f.AboutGitLab }))
}

// complaint is what the log says about the way to GitLab, in words. The gravest line
// tells what came of it; the first line about GitLab before that one tells why, and
// so the diagnosis is that line's.
func complaint(findings []gateway.Finding) (detail string, why gateway.DiagnosisID) {
	worst := aboutGitLab(findings)
	for _, f := range findings {
		switch {
		case f.Text == worst.Text:
			return inLog(f), f.ID
		case f.AboutGitLab:
			return inLog(f) + "; and after that, " + inLog(*worst), f.ID
		}
	}
	return "", ""
}

// grave reports whether a working gateway would not write such a line.
func grave(f *gateway.Finding) bool { return f != nil && f.Severity == gateway.SeverityFail }

// gravest is the first grave finding, else the first; nil when there is none.
func gravest(findings []gateway.Finding) *gateway.Finding {
	for i := range findings {
		if grave(&findings[i]) {
			return &findings[i]
		}
	}
	if len(findings) > 0 {
		return &findings[0]
	}
	return nil
}

// inLog tells of a finding in the words it is known by. The line itself may hold
// a secret.
func inLog(f gateway.Finding) string {
	return fmt.Sprintf("its log says %q: %s", f.Text, f.Cause)
}

// openDoor fails gateway.bypass when the log says that authentication is off. It
// may be so for one of the two services, or for requests that were not tried here.
// The environment of a process does not change, so the line is never too old.
func (t *trial) openDoor(seen *sheet) (open bool) {
	i := slices.IndexFunc(t.findings, func(f gateway.Finding) bool { return f.ID == gateway.AuthenticationOff })
	if i >= 0 && seen.get(Bypass).Verdict != upgrade.Fail {
		seen.put(Bypass, fail(inLog(t.findings[i]), gateway.AuthenticationOff))
	}
	return i >= 0
}

// consult adds what the log says to the failure that it may explain.
func (t *trial) consult(ctx context.Context, seen *sheet) {
	for _, id := range []string{Stable, Healthz, GRPC, Models, Auth} {
		c := seen.get(id)
		if c.Verdict != upgrade.Fail {
			continue
		}
		lines, _ := t.tail(ctx) // nothing to read is nothing to add
		if f := gravest(gateway.Diagnose(lines)); f != nil {
			c.Detail += "; " + inLog(*f)
			c.Remedy, c.Diagnosis = f.Cure+"; else: "+c.Remedy, string(f.ID)
		} else if len(lines) > 0 && t.o.Redactor != nil {
			said := t.o.Redactor.Lines(lines) // one line alone may not show that it is part of a key
			c.Detail += fmt.Sprintf("; the last line of its log: %q", short(said[len(said)-1], 200))
		}
		seen.put(id, c)
		return
	}
}

// conclude ends a hold without a failure. What the log says by now, and the
// target's own health check, are told but do not decide: requests were answered.
// Only a gateway that has begun to complain about GitLab is not let through.
func (t *trial) conclude(ctx context.Context, seen *sheet, held time.Duration, looks int) {
	stable := pass("no restart, no failure")
	if held > 0 {
		stable.Detail = fmt.Sprintf("no restart and no failure in %s, %d looks", held.Round(time.Second), looks)
		before := aboutGitLab(t.findings)
		if now, err := t.diagnose(ctx); err == nil {
			t.findings = now
		}
		switch worst := aboutGitLab(t.findings); {
		case !grave(worst), grave(before):
		case t.waited: // the gateway may have asked while GitLab gave no answer, and waited longer
			t.reach(ctx, seen)
		default:
			seen.put(GitLab, fail(complaint(t.findings)))
		}
		t.openDoor(seen)
	}
	if !t.last.Started.IsZero() {
		stable.Detail = "up since " + t.last.Started.UTC().Format(time.RFC3339) + ", " + stable.Detail
	}
	others := slices.DeleteFunc(slices.Clone(t.findings), func(f gateway.Finding) bool { return f.AboutGitLab || f.ID == gateway.AuthenticationOff })
	switch worst := gravest(others); {
	case worst != nil:
		stable = warn(stable.Detail+"; but "+inLog(*worst), worst.ID)
	case t.last.Health == "unhealthy":
		stable = warn(stable.Detail+"; but its own health check says unhealthy", gateway.OwnHealthCheck)
	}
	stable.Took = held
	seen.put(Stable, stable)
}
