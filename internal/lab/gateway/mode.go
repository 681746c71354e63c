package gateway

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is how a gateway behaves. It is baked into the image, as the faults of a
// release are.
type Mode string

const (
	// Healthy is a gateway as GitLab releases it.
	Healthy Mode = "healthy"

	// CrashAtBoot ends with a traceback and exit code 1 before it listens.
	CrashAtBoot Mode = "crash-at-boot"

	// NeverHealthy listens, and answers 500 to its health check.
	NeverHealthy Mode = "never-healthy"

	// NeverListens runs and never opens its HTTP port. From 18.4 on its gRPC port
	// is open all the same: the two services do not stop each other.
	NeverListens Mode = "never-listens"

	// DiesAfter works and ends with exit code 1 when Settings.After has passed since boot.
	DiesAfter Mode = "dies-after"

	// DiesWithUsers works until it meets a user: it ends with exit code 1 when
	// Settings.After has passed since the first POST. Checks only read, so a
	// rehearsal that no user reaches cannot see it, and the live gateway shows it
	// every time.
	DiesWithUsers Mode = "dies-with-users"

	// Bypass serves without authentication, whatever its environment says.
	Bypass Mode = "bypass"

	// NotAGateway answers the health check like one, and everything else with a
	// web page: the wrong image, or another service on the port.
	NotAGateway Mode = "not-a-gateway"

	// GRPCDead serves HTTP only, where it should serve both.
	GRPCDead Mode = "grpc-dead"

	// NoGitLab never reaches its GitLab, wherever that is.
	NoGitLab Mode = "no-gitlab"
)

// Modes are all modes.
func Modes() []Mode {
	return []Mode{Healthy, CrashAtBoot, NeverHealthy, NeverListens, DiesAfter, DiesWithUsers, Bypass, NotAGateway, GRPCDead, NoGitLab}
}

// ParseMode reads a mode; "" is Healthy.
func ParseMode(s string) (Mode, error) {
	if s == "" {
		return Healthy, nil
	}
	if m := Mode(s); slices.Contains(Modes(), m) {
		return m, nil
	}
	return "", fmt.Errorf("no gateway behaves %q: choose one of %s", s, strings.Trim(fmt.Sprint(Modes()), "[]"))
}
