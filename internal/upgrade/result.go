package upgrade

import "time"

// Outcome is how a command ended.
type Outcome string

const (
	Upgraded       Outcome = "upgraded"
	Unchanged      Outcome = "unchanged" // the right image ran already, and is verified
	Installed      Outcome = "installed"
	Planned        Outcome = "planned"
	Verified       Outcome = "verified"
	Rejected       Outcome = "rejected"        // the rehearsal failed; the old gateway never left, and is verified
	RolledBack     Outcome = "rolled_back"     // the previous gateway is back, and is verified
	RollbackFailed Outcome = "rollback_failed" // no gateway is proven to work
	Failed         Outcome = "failed"          // before the new version could be judged; nothing was changed
	Undecided      Outcome = "inconclusive"    // it could not look
	NoImage        Outcome = "no_image"
	Locked         Outcome = "locked"
	Cancelled      Outcome = "cancelled" // the previous gateway is back, and is verified
	Misused        Outcome = "usage"
)

// exitCodes is the contract with pipelines.
var exitCodes = map[Outcome]int{
	Upgraded: 0, Unchanged: 0, Installed: 0, Planned: 0, Verified: 0,
	Failed:         1,
	Misused:        2,
	NoImage:        3,
	Rejected:       4,
	RolledBack:     4,
	RollbackFailed: 5,
	Undecided:      6,
	Locked:         7,
	Cancelled:      8,
}

// Result is everything a command found and did.
type Result struct {
	Command string
	Outcome Outcome
	Err     error // nil on success

	Release Release
	Image   Image
	Place   Place
	Before  *Instance // nil: there was none, or it was not looked for
	After   *Instance // what runs now; nil: none, or unknown

	Changes []Change
	Phases  []Phase
	Checks  []Check
	Notes   []string // what the administrator should know or do

	// Outage is how long users could not reach the gateway, as a prober on its
	// live address saw it; nil when that could not be measured.
	Outage *time.Duration

	RegistryRequests int
}

// Phase is one step of the job, for the record.
type Phase struct {
	Name    string
	Started time.Time
	Took    time.Duration
	Outcome string // "done", or the verdict or error in one word
}

// ExitCode is the process exit status for the result. A rollback that was asked
// for is a success; one that was undone, or that an upgrade ended with, is not.
func (r Result) ExitCode() int {
	if r.Command == "rollback" && r.Outcome == RolledBack && r.Err == nil {
		return 0
	}
	if code, ok := exitCodes[r.Outcome]; ok {
		return code
	}
	return 1
}
