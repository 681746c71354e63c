package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

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
		seen.put(Stable, unseen(fmt.Sprintf("the target does not tell how the process is: %v", err),
			"look whether the engine answers: its address, its certificate, its log"))
		return false
	}
	t.last = state
	if t.first == nil || t.first.Started.IsZero() {
		t.first = &state
	}
	detail, remedy := t.ended(state)
	if detail != "" {
		seen.put(Stable, fail(detail, remedy))
	}
	return detail != ""
}

// ended says in which way a process did not stay up; empty when it did.
func (t *trial) ended(s upgrade.State) (detail, remedy string) {
	const readLog = "read the gateway's log: its last lines say why"
	switch s.Status {
	case upgrade.Missing:
		return "the gateway is gone: somebody removed it", "look who removed it, then run upgrade again"
	case upgrade.Restarting:
		return "the process ends and is restarted, over and over; " + ending(s), memory(s, readLog)
	case upgrade.Exited:
		return "the process ended; " + ending(s), memory(s, readLog)
	case upgrade.Created:
		if s.Error != "" {
			return "the process could not be started: " + s.Error,
				"the target's words name the cause: a port that is taken, a path that is missing, a device, memory"
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
		return fmt.Sprintf("the process ended and was restarted (%d times by now)", s.Restarts), memory(s, readLog)
	case !s.Started.Equal(t.first.Started):
		return "the process was restarted at " + s.Started.UTC().Format(time.RFC3339) + ", while it was looked at",
			"look who restarted it: a person, a watchdog, the engine"
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

// memory is the remedy for a process that ended.
func memory(s upgrade.State, otherwise string) string {
	if s.OOM {
		return "give it more memory: 512 MB is the least, 8 GB what GitLab recommends (docs.gitlab.com/install/install_ai_gateway)"
	}
	return otherwise
}

// digest compares what runs with what should run.
func (t *trial) digest() upgrade.Check {
	want := t.Image
	switch {
	case want == (upgrade.Image{}):
		return skip("no image was asked for")
	case len(t.last.Digests) == 0:
		return unseen("the target does not tell the digest of what runs", "look whether the target answers, and whether it still has the image")
	case !want.Is(t.last.Digests):
		detail := fmt.Sprintf("runs %s, and should run %s", t.last.Digests[0], want.Reference())
		return fail(detail+t.skew(runningTag(t.last)), "run upgrade; if it just did, look who else changes this gateway")
	}
	detail := "runs " + want.Reference()
	if skew := t.skew(want.Tag); skew != "" {
		return warn(detail+skew, "pin a tag of GitLab's own line in image.tag, or none at all")
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
