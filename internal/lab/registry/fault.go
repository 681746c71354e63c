package registry

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aigw-ci/internal/lab/wire"
)

// These are the ways a registry fails, as clients see them. Each applies to every
// request until it is cleared; Fault.For and Fault.On narrow it.

// TooManyRequests is a rate limit. Source: OCI distribution-spec, "Error Codes".
func TooManyRequests(wait time.Duration) wire.Fault {
	return failure("too-many-requests", http.StatusTooManyRequests, wait, "TOOMANYREQUESTS", "too many requests")
}

// Unavailable is a registry in maintenance.
func Unavailable(wait time.Duration) wire.Fault {
	return failure("unavailable", http.StatusServiceUnavailable, wait, "UNAVAILABLE", "service unavailable")
}

// Denied is a registry that knows who asks, and refuses.
func Denied() wire.Fault {
	return failure("denied", http.StatusForbidden, 0, "DENIED", "requested access to the resource is denied")
}

// Unauthorized is a registry that refuses without saying where a token is to be had.
func Unauthorized() wire.Fault {
	return failure("unauthorized", http.StatusUnauthorized, 0, "UNAUTHORIZED", "authentication required")
}

// InternalError is a registry whose storage fails.
func InternalError() wire.Fault {
	return failure("internal-error", http.StatusInternalServerError, 0, "UNKNOWN", "unknown error")
}

// Fault finds a fault by name, for callers that have only text: a control endpoint,
// a command line. Waits are two seconds, and redirects go to `to`.
func Fault(name, to string) (wire.Fault, error) {
	known := map[string]wire.Fault{}
	for _, f := range []wire.Fault{
		TooManyRequests(2 * time.Second), Unavailable(2 * time.Second), Denied(), Unauthorized(), InternalError(),
		wire.Redirect("redirect", to), wire.Dropped(), wire.Hanging(), wire.Truncated(), wire.Slow(time.Second),
		wire.Endless("application/json", `{"tags":["`),
	} {
		known[f.Name] = f
	}
	if f, ok := known[name]; ok {
		return f, nil
	}
	return wire.Fault{}, fmt.Errorf("the registry knows no fault %q: choose one of %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
}

func failure(name string, status int, wait time.Duration, code, message string) wire.Fault {
	header := http.Header{"Content-Type": {"application/json"}}
	if wait > 0 {
		header.Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}
	return wire.Answer(name, status, header, fmt.Sprintf(`{"errors":[{"code":%q,"message":%q}]}`, code, message))
}
