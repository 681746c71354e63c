package upgrade

import "time"

// Verdict is what a check found.
type Verdict string

const (
	Pass Verdict = "pass"
	Fail Verdict = "fail"
	// Warn is a finding the administrator should read; it never decides.
	Warn Verdict = "warn"
	// Skip is a check that does not apply here; the detail says why.
	Skip Verdict = "skip"
	// Inconclusive is a check that could not look. It is never a pass, and never
	// a reason to take a gateway away from its users.
	Inconclusive Verdict = "inconclusive"
)

// Stage is the gateway that a check looked at.
type Stage string

const (
	// Rehearsal is the new image beside the old one, without users.
	Rehearsal Stage = "rehearsal"
	// Live is the gateway its users reach.
	Live Stage = "live"
	// Restored is the previous gateway after it was put back.
	Restored Stage = "rollback"
)

// Check is one thing that was looked at.
type Check struct {
	ID      string // as the contract names it: "gateway.healthz"
	Stage   Stage
	Verdict Verdict
	Detail  string // what was seen, in one line
	Remedy  string // what the administrator can do; set on every Fail
	Took    time.Duration

	// Diagnosis is the anchor of what is known about it in docs/troubleshooting.md;
	// empty when there is nothing.
	Diagnosis string
}

// Judge is the verdict on all checks together: Fail when one failed, else
// Inconclusive when one could not look or when none was made, else Pass.
func Judge(checks []Check) Verdict {
	verdict := Inconclusive
	for _, c := range checks {
		switch c.Verdict {
		case Fail:
			return Fail
		case Pass:
			verdict = Pass
		}
	}
	for _, c := range checks {
		if c.Verdict == Inconclusive {
			return Inconclusive
		}
	}
	return verdict
}
