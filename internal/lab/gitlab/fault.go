package gitlab

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

// These are the ways a GitLab instance fails, as clients see them. Each applies to
// every request until it is cleared; Fault.For and Fault.On narrow it.

// DeployPage is what `gitlab-ctl deploy-page up` shows: success, in HTML.
// Source: omnibus-gitlab doc/maintenance.
func DeployPage() wire.Fault {
	return wire.Answer("deploy-page", http.StatusOK, htmlHeader(), htmlPage("Deploy in progress"))
}

// BadGateway is Workhorse without Rails behind it, as during a restart.
// Source: gitlab-org/gitlab workhorse/internal/badgateway.
func BadGateway() wire.Fault {
	return wire.Answer("bad-gateway", http.StatusBadGateway, http.Header{"Content-Type": {"text/plain"}}, "GitLab is not responding")
}

// RackAttack is the rate limit for all requests of a user or an address.
// Source: docs.gitlab.com/administration/settings/user_and_ip_rate_limits.
func RackAttack(wait time.Duration) wire.Fault {
	reset := time.Now().Add(wait)
	header := http.Header{
		"Content-Type":        {"text/plain"},
		"Retry-After":         {seconds(wait)},
		"Ratelimit-Limit":     {"60"},
		"Ratelimit-Name":      {"throttle_authenticated_api"},
		"Ratelimit-Observed":  {"67"},
		"Ratelimit-Remaining": {"0"},
		"Ratelimit-Reset":     {strconv.FormatInt(reset.Unix(), 10)},
		"Ratelimit-Resettime": {reset.UTC().Format(http.TimeFormat)},
	}
	return wire.Answer("rack-attack", http.StatusTooManyRequests, header, "Retry later\n")
}

// RateLimit is the rate limit of one endpoint.
// Source: gitlab-org/gitlab lib/api/helpers/rate_limiter.rb.
func RateLimit(wait time.Duration) wire.Fault {
	return wire.Answer("rate-limit", http.StatusTooManyRequests, jsonHeader("Retry-After", seconds(wait)),
		`{"message":{"error":"This endpoint has been requested too many times. Try again later."}}`)
}

// Maintenance is how Maintenance Mode refuses.
// Source: docs.gitlab.com/administration/maintenance_mode.
func Maintenance() wire.Fault {
	return wire.Answer("maintenance", http.StatusServiceUnavailable, jsonHeader("Retry-After", "900"),
		`{"message":"GitLab Maintenance: system is in maintenance mode"}`)
}

// ReadOnly is how a read-only instance refuses to write: a Geo secondary, or one
// whose database is being moved. Put it on the methods that write.
// Source: gitlab-org/gitlab ee/lib/ee/gitlab/middleware/read_only/controller.rb.
func ReadOnly() wire.Fault {
	return wire.Answer("read-only", http.StatusForbidden, jsonHeader(),
		`{"message":"You cannot perform write operations on a read-only instance"}`)
}

// Overloaded is an instance without a worker to spare.
func Overloaded(wait time.Duration) wire.Fault {
	return wire.Answer("overloaded", http.StatusServiceUnavailable, jsonHeader("Retry-After", seconds(wait)),
		`{"message":"503 Service Unavailable"}`)
}

// InternalError is an exception in Rails.
func InternalError() wire.Fault {
	return wire.Answer("internal-error", http.StatusInternalServerError, jsonHeader(), `{"message":"500 Internal Server Error"}`)
}

// SignIn is a proxy in front that wants its own login first.
func SignIn() wire.Fault {
	return wire.Answer("sign-in", http.StatusOK, htmlHeader(), htmlPage("Sign in"))
}

// Fault finds a fault by name, for callers that have only text: a control endpoint,
// a command line. Waits are two seconds, and redirects go to `to`.
func Fault(name, to string) (wire.Fault, error) {
	known := map[string]wire.Fault{}
	for _, f := range []wire.Fault{
		DeployPage(), BadGateway(), RackAttack(2 * time.Second), RateLimit(2 * time.Second), Maintenance(), ReadOnly(),
		Overloaded(2 * time.Second), InternalError(), SignIn(), wire.Redirect("redirect", to), wire.Dropped(),
		wire.Hanging(), wire.Truncated(), wire.Slow(time.Second), wire.Endless("application/json", `{"version":"`),
	} {
		known[f.Name] = f
	}
	if f, ok := known[name]; ok {
		return f, nil
	}
	return wire.Fault{}, fmt.Errorf("GitLab knows no fault %q: choose one of %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
}

func htmlHeader() http.Header { return http.Header{"Content-Type": {"text/html; charset=utf-8"}} }

func jsonHeader(more ...string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
