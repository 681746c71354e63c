package docker

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// leastMemory is what the engine demands. Source: moby, daemon ("Minimum memory
// limit allowed is 6MB").
const leastMemory = 6 << 20

var memoryPattern = regexp.MustCompile(`^([1-9][0-9]{0,17})([bkmg]?)$`)

// ParseMemory reads a memory limit as "docker run --memory" takes it: a whole
// number of bytes, or one followed by b, k, m or g, which are powers of 1024. The
// empty string is no limit, 0.
func ParseMemory(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	match := memoryPattern.FindStringSubmatch(strings.ToLower(s))
	if match == nil {
		return 0, fmt.Errorf("memory %q: it is no whole number with b, k, m or g; write it like 2g", clean(s, 60))
	}
	n, err := strconv.ParseInt(match[1], 10, 64)
	shift := map[string]int{"k": 10, "m": 20, "g": 30}[match[2]]
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("memory %q: it is more than any machine has", clean(s, 60))
	}
	if n <<= shift; n < leastMemory {
		return 0, fmt.Errorf("memory %q: the engine takes no less than 6m", clean(s, 60))
	}
	return n, nil
}

// ParseRestart reads a restart policy as "docker run --restart" takes it: no,
// always, unless-stopped, or on-failure[:times].
func ParseRestart(s string) (container.RestartPolicy, error) {
	name, times, limited := strings.Cut(s, ":")
	policy := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	if limited {
		n, err := strconv.ParseUint(times, 10, 31)
		if err != nil || n == 0 || policy.Name != container.RestartPolicyOnFailure {
			return container.RestartPolicy{}, fmt.Errorf("restart %q: only on-failure takes a number of times, like on-failure:5", clean(s, 60))
		}
		policy.MaximumRetryCount = int(n)
	}
	switch policy.Name {
	case container.RestartPolicyDisabled, container.RestartPolicyAlways, container.RestartPolicyUnlessStopped, container.RestartPolicyOnFailure:
		return policy, nil
	}
	return container.RestartPolicy{}, fmt.Errorf("restart %q: it is none of no, always, unless-stopped and on-failure", clean(s, 60))
}

// namePattern is what the engine accepts for containers and volumes. Source: moby,
// daemon/names.
var namePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$`)

// CheckName reports why a container cannot have a name.
func CheckName(s string) error {
	if !namePattern.MatchString(s) {
		return fmt.Errorf("container name %q: the engine takes letters, digits and _.- only, at least two of them", clean(s, 60))
	}
	return nil
}

// CheckNetwork reports why a gateway cannot be installed on a network. Whether the
// network exists is for the engine to say.
func CheckNetwork(s string) error {
	switch {
	case s == network.NetworkHost, s == network.NetworkNone, s == network.NetworkDefault, strings.HasPrefix(s, "container:"):
		return fmt.Errorf("network %q: the gateway needs an address of its own; use bridge or a network made with docker network create", clean(s, 60))
	case len(s) > 255 || strings.TrimSpace(s) != s || strings.ContainsAny(s, "/\x00"):
		return errors.New("network: this cannot be a network's name")
	}
	return nil
}
