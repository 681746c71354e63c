package gitlab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// Where GitLab keeps the address of its gateway. Before 17.9 it is an environment
// variable of GitLab's processes, which no API shows; in 19.2 the setting moved to
// another table, and lost its value on the way (gitlab-org/gitlab work item 606458).
// Source: docs.gitlab.com/api/graphql/reference, DuoSettings.
var (
	settingSince   = version.Line{Major: 17, Minor: 9}
	settingEmptied = version.Line{Major: 19, Minor: 2}
)

const (
	whereSetting = "Admin area > GitLab Duo > Change configuration > Local AI Gateway URL"

	// settle is how long GitLab's processes may go on with the setting they know:
	// application settings are cached for a minute (docs.gitlab.com/api/settings).
	settle = 75 * time.Second
)

// setting is the "Local AI Gateway URL", as far as the token may see it.
type setting struct {
	url     string // empty: not set
	agents  string // the Agent Platform's address; empty: not set, or not to be seen
	unknown bool   // the instance has no such field
	hidden  string // why it cannot be seen; empty: it can
	unsure  bool   // hidden, but not for lack of rights
}

// readSetting asks GitLab which gateway it uses. A caller without the right gets
// null, just as one who has it gets for an empty setting. aiSelfHostedModels takes
// the same right, and is null without it and a list, maybe an empty one, with it.
// Sources: gitlab-org/gitlab ee/spec/requests/api/graphql/ai/duo_settings_spec.rb,
// ee/app/graphql/resolvers/ai/self_hosted_models/self_hosted_models_resolver.rb.
func (l *ladder) readSetting(ctx context.Context, line version.Line) (setting, error) {
	var data struct {
		Duo *struct {
			URL    *string `json:"aiGatewayUrl"`
			Agents string  `json:"duoAgentPlatformServiceUrl"`
		} `json:"duoSettings"`
		Models json.RawMessage `json:"aiSelfHostedModels"`
	}
	unknown, problems, err := l.graphQL(ctx, line, []field{
		{name: "duoSettings", since: settingSince, of: []field{
			{name: "aiGatewayUrl", since: settingSince},
			{name: "duoAgentPlatformServiceUrl", since: version.Line{Major: 18, Minor: 4}},
		}},
		{name: "aiSelfHostedModels", args: "(first: 1)", since: version.Line{Major: 17, Minor: 1}, of: []field{
			{name: "nodes", of: []field{{name: "id"}}},
		}},
	}, &data)
	if err != nil {
		return setting{}, err
	}
	for _, name := range unknown {
		if name == "aiGatewayUrl" || name == "duoSettings" {
			return setting{unknown: true}, nil
		}
	}
	if data.Duo != nil && data.Duo.URL != nil && *data.Duo.URL != "" {
		return setting{url: *data.Duo.URL, agents: data.Duo.Agents}, nil
	}
	var said []graphError
	for _, p := range problems {
		if len(p.Path) == 0 || p.about("duoSettings") || p.about("aiSelfHostedModels") {
			said = append(said, p)
		}
	}
	switch models := strings.TrimSpace(string(data.Models)); {
	case len(said) > 0:
		return setting{hidden: "GitLab says: " + l.remarks(said), unsure: !refusedAll(said)}, nil
	case data.Duo == nil:
		return setting{hidden: "GitLab shows no GitLab Duo settings", unsure: true}, nil
	case models == "null":
		return setting{hidden: "GitLab shows its GitLab Duo settings to an administrator of an instance with the GitLab Duo Enterprise add-on only"}, nil
	case models == "":
		return setting{hidden: "GitLab shows no address, and not whether the token may see it", unsure: true}, nil
	}
	return setting{}, nil
}

// url is the check gitlab.url: GitLab uses the gateway at gateway.url.
func (l *ladder) url(ctx context.Context, s upgrade.Subject) finding {
	if l.o.GatewayURL == "" {
		return skipped("gateway.url is not set: there is nothing to compare with")
	}
	line := l.line(ctx, s)
	if before(line, settingSince) {
		return skipped(fmt.Sprintf("GitLab %v keeps the gateway's address in the environment variable AI_GATEWAY_URL, which it shows to nobody", line))
	}
	is, err := l.readSetting(ctx, line)
	switch {
	case err != nil:
		return trouble(err, "read_api")
	case is.unknown:
		return denied("this GitLab has no setting for a gateway of its own: a Community Edition?", "use a GitLab Enterprise Edition with GitLab Duo")
	case is.hidden != "" && is.unsure:
		return unseen(is.hidden, "look at "+whereSetting+"; then run this again")
	case is.hidden != "":
		return denied(is.hidden, "put into gitlab.token "+owner(nil))
	case sameAddress(is.url, l.o.GatewayURL) && strings.Contains(is.agents, "://"):
		return warn(fmt.Sprintf("GitLab uses %s; but its address of the Agent Platform is the URL %s", place(is.url), place(is.agents)), "").as(gateway.AgentPlatformURL)
	case sameAddress(is.url, l.o.GatewayURL):
		return pass("GitLab uses " + place(is.url))
	}
	wrong, known := l.wrong(is.url, line)
	if !l.o.RepairURL || s.Stage != upgrade.Live {
		return settings(wrong, known.Cure()+"; gateway.url is "+l.o.GatewayURL+"; verify.repair_url does it").as(known)
	}
	return l.repair(ctx, line, is.url, wrong).as(known)
}

// wrong says what GitLab uses instead.
func (l *ladder) wrong(is string, line version.Line) (string, gateway.DiagnosisID) {
	switch {
	case is == "" && !before(line, settingEmptied):
		return "GitLab's Local AI Gateway URL is empty: the upgrade to 19.2 empties it (gitlab-org/gitlab work item 606458)", gateway.GitLabURLCleared
	case is == "":
		return "GitLab's Local AI Gateway URL is not set: it uses no gateway of its own", gateway.GitLabURLDiffers
	}
	return fmt.Sprintf("GitLab uses %s, and not %s", place(is), place(l.o.GatewayURL)), gateway.GitLabURLDiffers
}

// repair sets the address and reads it again. The mutation is sent once: when its
// answer is lost, what is read afterwards tells whether it was done.
func (l *ladder) repair(ctx context.Context, line version.Line, was, wrong string) finding {
	byHand := fmt.Sprintf("set %s to %s by hand", whereSetting, l.o.GatewayURL)
	value, err := json.Marshal(l.o.GatewayURL) // a string of JSON is one of GraphQL
	if err != nil {
		return unseen(wrong, byHand)
	}
	got, sendErr := l.execute(ctx, "mutation { duoSettingsUpdate(input: {aiGatewayUrl: "+string(value)+"}) { errors } }")
	if e, ok := asRefusal(sendErr); ok {
		return settings(wrong+"; it could not be put right: "+e.sentence(), byHand+", or give gitlab.token the scope api")
	}
	if sendErr != nil && !lostAnswer(sendErr) {
		return unseen(wrong+"; it was not set: "+firstLine(sendErr), byHand+", or run this again")
	}
	var data struct {
		Update *struct {
			Errors []string `json:"errors"`
		} `json:"duoSettingsUpdate"`
	}
	if len(got.Data) > 0 {
		_ = json.Unmarshal(got.Data, &data) // what is read afterwards decides
	}
	if said := got.Errors; len(said) > 0 {
		return settings(wrong+"; it could not be put right: GitLab says: "+l.remarks(said), byHand+", or give gitlab.token, an administrator's, the scope api")
	}
	if data.Update != nil && len(data.Update.Errors) > 0 {
		return settings(wrong+"; GitLab refuses the address: "+l.clean(strings.Join(data.Update.Errors, "; ")),
			"correct gateway.url; a local address must be on GitLab's allowlist for outbound requests (Admin area > Settings > Network)")
	}
	is, err := l.readBack(ctx, line)
	switch {
	case err != nil:
		return unseen(wrong+"; it was set, and could not be read again: "+firstLine(err), "look at "+whereSetting)
	case sendErr != nil && is.url == was:
		return unseen(wrong+"; setting it failed: "+firstLine(sendErr), byHand+", or run this again")
	case !sameAddress(is.url, l.o.GatewayURL):
		return unseen(fmt.Sprintf("%s; it was set to %s, and reads %s", wrong, place(l.o.GatewayURL), described(is.url)), byHand)
	}
	l.log.WarnContext(ctx, "GitLab's Local AI Gateway URL was changed", "from", described(was), "to", place(is.url))
	return warn(fmt.Sprintf("%s; verify.repair_url changed it from %s to %s", wrong, described(was), place(is.url)),
		"nothing to do; if somebody wants another address there, change gateway.url")
}

// readBack reads the setting until it is what it should be, or everybody must have
// the new one.
func (l *ladder) readBack(ctx context.Context, line version.Line) (is setting, err error) {
	for end := time.Now().Add(settle); ; {
		is, err = l.readSetting(ctx, line)
		if err != nil || sameAddress(is.url, l.o.GatewayURL) || time.Until(end) <= longestPause {
			return is, err
		}
		select {
		case <-time.After(longestPause):
		case <-ctx.Done():
			return is, nil
		}
	}
}

func described(address string) string {
	if address == "" {
		return "nothing"
	}
	return place(address)
}

// sameAddress reports whether two addresses of a gateway lead to the same place the
// same way. The case of the host, the scheme's own port and a slash at the end do not
// count.
func sameAddress(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	return errA == nil && errB == nil && ua.Hostname() != "" && strings.EqualFold(ua.Scheme, ub.Scheme) &&
		host(ua) == host(ub) && strings.TrimRight(ua.Path, "/") == strings.TrimRight(ub.Path, "/") &&
		ua.RawQuery == ub.RawQuery
}
