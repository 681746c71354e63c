package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// statusSince is the release of cloudConnectorStatus
// (docs.gitlab.com/api/graphql/reference, Query.cloudConnectorStatus).
var statusSince = version.Line{Major: 17, Minor: 3}

// probe is one part of GitLab's own health check. It has details, too, which are not
// asked for: they hold the licence and a decoded token.
type probe struct {
	Name    string `json:"name"`
	Success *bool  `json:"success"`
	Message string `json:"message"`
}

// maxProbes is far above the dozen that GitLab has.
const maxProbes = 100

// probes is the check gitlab.probes: what GitLab's own health check says, probe by
// probe. Its summary is left aside: newer releases put probes into it that have
// nothing to do with a gateway.
func (l *ladder) probes(ctx context.Context, s upgrade.Subject) finding {
	line := l.line(ctx, s)
	if before(line, statusSince) {
		return skipped(fmt.Sprintf("GitLab %v has no health check that can be asked for; it came with %v", line, statusSince))
	}
	var data struct {
		Status *struct {
			Probes []*probe `json:"probeResults"`
		} `json:"cloudConnectorStatus"`
	}
	unknown, problems, err := l.graphQL(ctx, line, []field{
		{name: "cloudConnectorStatus", since: statusSince, of: []field{
			{name: "probeResults", of: []field{{name: "name"}, {name: "success"}, {name: "message"}}},
		}},
	}, &data)
	switch {
	case err != nil:
		return trouble(err, "read_api")
	case slices.Contains(unknown, "cloudConnectorStatus"):
		return denied("this GitLab has no health check of GitLab Duo: a Community Edition?", "use a GitLab Enterprise Edition with GitLab Duo")
	case data.Status == nil && refusedAll(problems):
		return denied("GitLab says: "+l.remarks(problems), "put into gitlab.token "+owner(nil))
	case data.Status == nil && len(problems) > 0:
		return unseen("GitLab says: "+l.remarks(problems), "run the health check in Admin area > GitLab Duo, then run this again")
	case data.Status == nil, len(data.Status.Probes) == 0, slices.Contains(unknown, "success"):
		return unseen("GitLab's health check says nothing", "run the health check in Admin area > GitLab Duo, then run this again")
	case len(data.Status.Probes) > maxProbes:
		return unseen("GitLab's health check has more probes than can be", notGitLabRemedy)
	}
	return l.weigh(data.Status.Probes)
}

// The probes that are about a gateway of one's own. Names are those of GitLab's
// classes (ee/lib/gitlab/cloud_connector or ee/lib/cloud_connector, status_checks).
const (
	urlProbe     = "ai_gateway_url_presence_probe"
	hostProbe    = "host_probe"
	licenceProbe = "code_suggestions_license_probe"
)

// weigh judges each probe by what it can know.
//
// The probe of the address decides, and so does the one of the licence. The probe of
// a host decides only when there is exactly one, among the probes of a self-hosted
// gateway: otherwise it may be about GitLab's own cloud. A token, an end-to-end test
// with its three seconds, access to the cloud, the Agent Platform and what newer
// releases add are reported and decide nothing: they fail where everything works
// (gitlab-org/gitlab issues 517097 and 509801).
func (l *ladder) weigh(probes []*probe) finding {
	own, hosts := false, 0
	for _, p := range probes {
		if p == nil {
			continue
		}
		own = own || p.Name == urlProbe
		if p.Name == hostProbe {
			hosts++
		}
	}
	var good []string
	worst := pass("")
	for _, p := range probes {
		switch {
		case p == nil || p.Name == "" || p.Success == nil:
			worst = graver(worst, warn("a probe without a result", "run the health check in Admin area > GitLab Duo"))
		case *p.Success:
			good = append(good, l.clean(p.Name))
		default:
			worst = graver(worst, l.failedProbe(p, own && hosts == 1))
		}
	}
	if worst.is != passed {
		return worst
	}
	return pass(cut(strings.Join(good, ", ")) + ": GitLab's own probes pass; they prove its settings and reachability, not that it can use the gateway")
}

func (l *ladder) failedProbe(p *probe, ownHost bool) finding {
	detail := l.clean(p.Name) + " fails: " + l.clean(p.Message)
	switch {
	case p.Name == urlProbe:
		return settings(detail, "set "+whereSetting)
	case p.Name == licenceProbe:
		return settings(detail, "look at the licence and the GitLab Duo add-on in the admin area")
	case p.Name == hostProbe && ownHost:
		return fail(detail, "let GitLab reach the gateway: DNS, firewall, certificate; a private address must be on the allowlist in Admin area > Settings > Network > Outbound requests")
	}
	return warn(detail, "").as(gateway.GitLabHealthCheck)
}

// graver is the worse of two findings, with what both saw.
func graver(a, b finding) finding {
	if rank(b.is) > rank(a.is) {
		a, b = b, a
	}
	if b.detail != "" {
		a.detail += "; " + b.detail
	}
	return a
}

func rank(k kind) int { return slices.Index([]kind{passed, warning, misset, failed}, k) }

// refusedAll reports whether GitLab's remarks are all about rights. GitLab has one
// sentence for "there is no such thing" and "you may not see it"
// (lib/gitlab/graphql/authorize/authorize_resource.rb).
func refusedAll(errs []graphError) bool {
	return len(errs) > 0 && !slices.ContainsFunc(errs, func(e graphError) bool {
		return !strings.Contains(e.Message, "don't have permission") && !strings.Contains(e.Message, "insufficient_scope")
	})
}
