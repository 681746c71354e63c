package rake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// part is a part of the summary: what GitLab looked at.
type part struct {
	key    string
	name   string
	needed bool // without it nothing is proven
	model  bool // about models and not about the gateway
	remedy string
}

// parts are the ones that are known, in the order in which one explains the next.
func parts() []part {
	return []part{
		{key: "ai_gateway_url", name: "the gateway's address", needed: true, remedy: setURL},
		{key: "license", name: "the licence", needed: true, remedy: giveSeat},
		{key: "transport_connectivity", name: "the connection from GitLab to the gateway", remedy: openRoad},
		{key: "ai_gateway_health", name: "the gateway's health", needed: true, remedy: openRoad},
		{key: "duo_workflow_service", name: "the Agent Platform's service", remedy: "check the Agent Platform's URL in GitLab: host:port without http://, port 50052, TLS as in GitLab's setting"},
		{key: "agent_platform_websocket", name: "the Agent Platform's WebSocket", remedy: "let WebSockets through every proxy in front of GitLab (Upgrade and Connection headers)"},
		{key: "self_hosted_models", name: "the models", model: true, remedy: "check the models' endpoints and keys in Admin > GitLab Duo > Self-hosted models"},
		{key: "feature_settings", name: "the features' models", model: true, remedy: "assign models to features in Admin > GitLab Duo > Configure models"},
		{key: "request_flow", name: "requests to the models", model: true, remedy: "check the models' endpoints and keys in Admin > GitLab Duo > Self-hosted models"},
	}
}

// maxComplaints is how many parts are told of, worst first.
const maxComplaints = 8

// section is one part as the task wrote it, as far as it is looked at.
type section struct {
	Status           string `json:"status"`
	URL              string `json:"url"`
	FeatureAvailable *bool  `json:"feature_available"`
	UserHasAccess    *bool  `json:"user_has_access"`
}

// fold is the verdict on a summary: that of its worst part.
func (o Options) fold(out output) upgrade.Check {
	var found []upgrade.Check
	known := map[string]bool{"system": true}
	for _, p := range parts() {
		known[p.key] = true
		found = append(found, p.judge(out.summary))
	}
	for _, key := range slices.Sorted(maps.Keys(out.summary)) {
		if !known[key] { // of a later release
			p := part{key: key, name: partName(key), remedy: "run the check by hand and read what it says of this: " + byHand}
			found = append(found, p.judge(out.summary))
		}
	}

	worst := upgrade.Check{Verdict: upgrade.Pass, Detail: "GitLab" + systemVersion(out.summary) + " checked its gateway: address, licence and health are good"}
	var complaints []string
	for _, verdict := range []upgrade.Verdict{upgrade.Fail, upgrade.Inconclusive, upgrade.Warn} {
		for _, c := range found {
			if c.Verdict != verdict {
				continue
			}
			if len(complaints) == 0 {
				worst = c
			}
			complaints = append(complaints, c.Detail)
		}
	}
	switch failed := markedLines(out.text)[upgrade.Fail]; {
	case len(complaints) > 0:
		worst.Detail = strings.Join(complaints[:min(len(complaints), maxComplaints)], "; ")
	case len(failed) > 0:
		return unseen("the summary of GitLab's check is good, and its text says: "+o.quoteAll(failed), "run the check by hand: "+byHand)
	}
	return o.about(worst, out.summary)
}

// judge is the verdict on one part; the zero Check when it says nothing.
func (p part) judge(summary map[string]json.RawMessage) upgrade.Check {
	var s section
	err := json.Unmarshal(summary[p.key], &s) // also an error where there is no such part
	switch {
	case err != nil && p.needed:
		return unseen("GitLab does not say how "+p.name+" is", "run the check by hand: "+byHand)
	case p.key == "license":
		return p.licence(s)
	}
	said := p.name + ": " + statusWord(s.Status)
	switch {
	case s.Status == "OK":
		return upgrade.Check{Verdict: upgrade.Pass}
	case s.Status == "" && !p.needed:
		return upgrade.Check{}
	case s.Status == "SKIPPED" && !p.needed:
		return upgrade.Check{}
	case s.Status == "ERROR" && p.model && misleads(summary):
		return upgrade.Check{Verdict: upgrade.Warn, Remedy: p.remedy,
			Detail: said + " (this release also says so of good models whose endpoint ends in /v1: gitlab.com/gitlab-org/gitlab/-/issues/581299)"}
	case s.Status == "ERROR":
		return fail(said, p.remedy)
	case s.Status == "WARNING" && !p.needed:
		return upgrade.Check{Verdict: upgrade.Warn, Detail: said, Remedy: p.remedy}
	}
	return unseen(said, p.remedy)
}

// licence is judged by what it says: it has no status.
func (p part) licence(s section) upgrade.Check {
	switch {
	case s.FeatureAvailable == nil && s.UserHasAccess == nil:
		return unseen("GitLab does not say how "+p.name+" is", "run the check by hand: "+byHand)
	case s.FeatureAvailable != nil && !*s.FeatureAvailable:
		return fail("the licence does not contain the feature", buyLicence)
	case s.UserHasAccess != nil && !*s.UserHasAccess:
		return fail("the licence is good, and the user has no access", p.remedy)
	case s.FeatureAvailable == nil || s.UserHasAccess == nil:
		return unseen("GitLab says only half of how "+p.name+" is", "run the check by hand: "+byHand)
	}
	return upgrade.Check{Verdict: upgrade.Pass}
}

// misleads reports whether a summary is of the releases that look for models at
// /v1/v1/models. The next form of the task, which does not, also looks at the
// transport.
func misleads(summary map[string]json.RawMessage) bool {
	_, later := summary["transport_connectivity"]
	return !later
}

// about turns the verdict into inconclusive when GitLab looked at another gateway:
// whatever it found says nothing about this one.
func (o Options) about(c upgrade.Check, summary map[string]json.RawMessage) upgrade.Check {
	var s section
	if o.GatewayURL == "" || json.Unmarshal(summary["ai_gateway_url"], &s) != nil || s.URL == "" {
		return c
	}
	used, ok := address(s.URL)
	deployed, _ := address(o.GatewayURL)
	if !ok || used == deployed {
		return c
	}
	return unseen(fmt.Sprintf("GitLab uses another gateway, %s, and not %s; of that one: %s", used, deployed, c.Detail),
		"set GitLab's address of the gateway to "+deployed+" (Admin > GitLab Duo > Change configuration > Local AI Gateway URL), or correct gateway.url")
}

// address is a URL by which two can be compared and shown: no user, no password, no
// query, no final slash.
func address(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || len(s) > 2048 {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[scheme])
	return scheme + "://" + host + strings.TrimRight(u.EscapedPath(), "/"), true
}

// systemVersion is the version in the summary, with a space before it.
func systemVersion(summary map[string]json.RawMessage) string {
	var system struct {
		Version string `json:"gitlab_version"`
	}
	_ = json.Unmarshal(summary["system"], &system) // only for the reader
	v, err := version.ParseGitLab(system.Version)
	if err != nil {
		return ""
	}
	return " " + v.String()
}

var words = regexp.MustCompile(`^[A-Za-z_ ]{1,40}$`)

// statusWord is a status fit to be shown.
func statusWord(s string) string {
	if words.MatchString(s) {
		return s
	}
	return "no status that this program knows"
}

func partName(key string) string {
	if words.MatchString(key) {
		return strings.ReplaceAll(key, "_", " ")
	}
	return "a part that this program does not know"
}
