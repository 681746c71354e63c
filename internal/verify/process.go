package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// process reads the state of the gateway's process. It reports true when that is
// the end of it: the process is gone, or did not stay up.
func (t *trial) process(ctx context.Context, seen *sheet) (over bool) {
	ctx, cancel := context.WithTimeout(ctx, targetTimeout)
	defer cancel()
	state, err := t.Gateway.State(ctx)
	if err != nil {
		seen.put(Stable, unseen(fmt.Sprintf("the target does not tell how the process is: %v", err), gateway.TargetSilent))
		return false
	}
	t.last = state
	if t.first == nil || t.first.Started.IsZero() {
		t.first = &state
	}
	detail, why := t.ended(state)
	switch {
	case detail != "":
		seen.put(Stable, fail(detail, why))
	case state.Ready < state.Replicas:
		seen.put(Stable, fail(fmt.Sprintf("%d of %d replicas take requests", state.Ready, state.Replicas), gateway.ReplicasMissing))
	}
	return detail != ""
}

// ended says in which way a process did not stay up; empty when it did.
func (t *trial) ended(s upgrade.State) (detail string, why gateway.DiagnosisID) {
	switch s.Status {
	case upgrade.Missing:
		return "the gateway is gone: somebody removed it", gateway.GatewayRemoved
	case upgrade.Restarting:
		return "the process ends and is restarted, over and over; " + ending(s), endedBy(s)
	case upgrade.Exited:
		return "the process ended; " + ending(s), endedBy(s)
	case upgrade.Created:
		if s.Error != "" {
			return "the process could not be started: " + s.Error, gateway.CannotBeStarted
		}
		return "", ""
	}

	// The count of a gateway that was there before us may be old history.
	known := 0
	if t.Settled || t.Stage == upgrade.Restored {
		known = t.first.Restarts
	}
	switch {
	case s.Restarts > known:
		return fmt.Sprintf("the process ended and was restarted (%d times by now)", s.Restarts), endedBy(s)
	case !s.Started.Equal(t.first.Started):
		return "the process was restarted at " + s.Started.UTC().Format(time.RFC3339) + ", while it was looked at", gateway.RestartedFromOutside
	}
	return "", ""
}

// ending is how a process ended. The numbers above 128 are the shell's way to tell
// a signal, which Docker uses too (docs.docker.com/engine/containers/run, Exit status).
func ending(s upgrade.State) string {
	text := fmt.Sprintf("exit code %d", s.ExitCode)
	switch {
	case s.OOM:
		text += ", killed because it was out of memory"
	case s.ExitCode == 0:
		text += ": it ended by itself, without an error"
	case s.ExitCode == 126 || s.ExitCode == 127:
		text += ": its command cannot be run"
	case s.ExitCode == 137:
		text += ": killed"
	case s.ExitCode == 139:
		text += ": segmentation fault"
	case s.ExitCode == 143:
		text += ": told to stop"
	}
	if s.Error != "" {
		text += "; " + s.Error
	}
	return text
}

// endedBy is why a process ended, as far as its target knows.
func endedBy(s upgrade.State) gateway.DiagnosisID {
	if s.OOM {
		return gateway.OutOfMemory
	}
	return gateway.ProcessEnded
}

// digest compares what runs with what should run.
func (t *trial) digest() upgrade.Check {
	want := t.Image
	switch {
	case want == (upgrade.Image{}):
		return skip("no image was asked for")
	case len(t.last.Digests) == 0:
		return unseen("the target does not tell the digest of what runs", gateway.DigestUnknown)
	case len(t.last.Strays) > 0:
		return fail(fmt.Sprintf("not every replica runs %s: others run %s", want.Reference(), strings.Join(t.last.Strays, ", ")), gateway.AnotherImageRuns)
	case !want.Is(t.last.Digests):
		detail := fmt.Sprintf("runs %s, and should run %s", t.last.Digests[0], want.Reference())
		return fail(detail+t.skew(runningTag(t.last)), gateway.AnotherImageRuns)
	}
	detail := "runs " + want.Reference()
	if skew := t.skew(want.Tag); skew != "" {
		return warn(detail+skew, gateway.MinorSkew)
	}
	return pass(detail)
}

// skew says that a tag is of another minor release than GitLab; empty when it is
// not, or nobody knows. A newer gateway on an older GitLab is known to break:
// gitlab.com/gitlab-org/gitlab/-/merge_requests/266527.
func (t *trial) skew(tag string) string {
	line, ok := upgrade.Image{Tag: tag}.Line()
	if !ok || t.Release.Version.Major == 0 {
		return ""
	}
	own := t.Release.Version.Line()
	switch c := line.Compare(own); {
	case c == 0:
		return ""
	case c > 0:
		return fmt.Sprintf("; skew: this gateway is of %s, newer than GitLab %s, which is known to break", line, own)
	default:
		return fmt.Sprintf("; skew: this gateway is of %s, older than GitLab %s", line, own)
	}
}

// runningTag is the gateway's tag, when the target knows what runs by one.
func runningTag(s upgrade.State) string {
	for _, name := range append([]string{s.Image}, s.Digests...) {
		name, _, _ = strings.Cut(name, "@")
		tag := name[strings.LastIndexByte(name, ':')+1:]
		if _, err := version.ParseTag(tag); err == nil {
			return tag
		}
	}
	return ""
}
