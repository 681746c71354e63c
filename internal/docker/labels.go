package docker

// Labels on the containers and images this program makes. They are how a later
// run knows what an interrupted one left behind.
const (
	// LabelRole says what a container or image is for: one of the roles below.
	LabelRole = "aigw-ci.role"
	// LabelTarget is the name of the gateway container that a thing belongs to.
	LabelTarget = "aigw-ci.target"
	// LabelRun is the run that made a thing: a job URL, or user@host.
	LabelRun = "aigw-ci.run"
	// LabelSince is when that run began, in RFC 3339, by its own clock.
	LabelSince = "aigw-ci.since"
	// LabelReplaces is the ID of the container that a container was made to replace.
	LabelReplaces = "aigw-ci.replaces"
)

// Values of LabelRole for what never serves a request.
const (
	RoleLock  = "lock"
	RoleRelay = "relay"
)
