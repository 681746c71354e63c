package report

import (
	"errors"
	"fmt"

	"aigw-ci/internal/upgrade"
)

// headline is what happened, in one sentence.
func headline(r upgrade.Result) string {
	switch r.Outcome {
	case upgrade.Upgraded:
		return "The gateway was upgraded and is verified."
	case upgrade.Installed:
		return "The gateway was installed and is verified."
	case upgrade.Unchanged:
		return "Nothing to do: the right image runs and is verified."
	case upgrade.Verified:
		return "The right image runs and is verified."
	case upgrade.Planned:
		switch {
		case r.Command != "plan":
			return "The image was found. Nothing was changed."
		case len(r.Changes) == 0:
			return "Nothing would change."
		}
		return fmt.Sprintf("%s would be made. Nothing was changed.", count(len(r.Changes), "change"))
	case upgrade.Rejected:
		return tried(r) + " failed its rehearsal. No user saw it; the previous one serves and is verified."
	case upgrade.RolledBack:
		if r.ExitCode() == 0 {
			return "The gateway was rolled back as asked, and is verified."
		}
		return tried(r) + " failed. The previous one was put back and is verified."
	case upgrade.RollbackFailed:
		return "No gateway is proven to work. A person is needed now."
	case upgrade.Undecided:
		return "It could not be looked at, so there is no verdict."
	case upgrade.NoImage:
		return "There is no gateway image for this GitLab version. Nothing was changed."
	case upgrade.Locked:
		if errors.Is(r.Err, upgrade.ErrLockLost) {
			return "The run lost its hold on the target, and stopped where it was."
		}
		return "Another run holds the target."
	case upgrade.Cancelled:
		if r.After == nil {
			return "The run was cancelled."
		}
		return "The run was cancelled. The previous gateway serves and is verified."
	case upgrade.Misused:
		return "The settings are not right. Nothing was contacted."
	}
	return "The run failed."
}

// tried is what was to take the gateway's place.
func tried(r upgrade.Result) string {
	if r.Command == "rollback" {
		return "The version to go back to"
	}
	return "The new version"
}

// next is what the administrator does now, beyond the remedies of single checks;
// empty when there is nothing to do.
func next(r upgrade.Result) string {
	switch r.Outcome {
	case upgrade.Rejected, upgrade.RolledBack:
		if r.ExitCode() == 0 {
			return ""
		}
		return "The old gateway serves, so there is no hurry. Put right what failed; the next `aigw-ci upgrade` tries again. " +
			"The failed gateway's log is in the evidence."
	case upgrade.RollbackFailed:
		return "Users may have no gateway. Look at it now; its log is in the evidence. " +
			"`aigw-ci upgrade` ends what this run began, `aigw-ci verify` says whether a gateway works."
	case upgrade.Undecided:
		return "Put right what kept it from looking, then run the same command again."
	case upgrade.Locked:
		if errors.Is(r.Err, upgrade.ErrLockLost) {
			return "Run the same command again: it ends what this run began. Should another run be at work, it says so. " +
				"The job log tells how the lock was lost."
		}
		return "Wait until the other run has ended, then run this again if it is still needed."
	case upgrade.Cancelled:
		return "Run the same command again when it suits."
	case upgrade.Misused:
		return "Correct the settings named above, and run the same command again."
	}
	return ""
}
