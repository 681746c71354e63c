package rake

import (
	"fmt"
	"slices"
	"strings"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// Remedies that several findings share.
const (
	setURL = "set the gateway's address in GitLab: Admin > GitLab Duo > Change configuration > Local AI Gateway URL, " +
		"before 17.9 the environment variable AI_GATEWAY_URL of GitLab; the upgrade to 19.2 is known to clear it"
	giveSeat   = "give the user a GitLab Duo seat, or name one who has access"
	buyLicence = "activate a licence with the GitLab Duo add-on that self-hosted models need"
	openRoad   = "let the GitLab node reach the gateway: look at its address in GitLab, name resolution, firewalls, proxies, and the certificate authority that GitLab trusts (/etc/gitlab/trusted-certs)"
	sudoRight  = "let the user run it as root without a password, in /etc/sudoers.d: USER ALL=(root) NOPASSWD: /usr/bin/gitlab-rake"
)

// trouble is something that ends the command, and how it is recognised: by words
// that the task, rake, GitLab's wrapper or sudo write, all in small letters here.
type trouble struct {
	says    []string // any of them
	verdict upgrade.Verdict
	detail  string
	remedy  string
}

// troubles are tried in this order. First what kept the task from running: its
// words may be in a text that goes on.
func troubles() []trouble {
	return []trouble{
		{[]string{"sudo: a password is required", "sudo: a terminal is required", "sudo: no tty present", "is not in the sudoers file", "is not allowed to execute", "may not run sudo"},
			upgrade.Inconclusive, "the user may not run gitlab-rake as root there", sudoRight},
		{[]string{"sudo: command not found", "sudo: not found"},
			upgrade.Inconclusive, "there is no sudo there", "log in as root, or install sudo"},
		{[]string{"gitlab-rake: command not found", "gitlab-rake: not found", `"gitlab-rake": executable file not found`},
			upgrade.Inconclusive, "there is no gitlab-rake there", "check that verify.rake leads to the GitLab node: the one with GitLab's Rails application"},
		{[]string{"gitlab-rails-rc"},
			upgrade.Inconclusive, "gitlab-rake does not find or may not read GitLab's configuration", "run it as root on the node with GitLab's Rails application, after gitlab-ctl reconfigure"},
		{[]string{"pg::connectionbad", "activerecord::connectionnotestablished", "activerecord::databaseconnectionerror", "redis::cannotconnecterror", "redisclient::cannotconnecterror"},
			upgrade.Inconclusive, "GitLab's database or Redis does not answer", "wait until GitLab is up, and run the job again"},

		// What the task itself says before it gives up.
		{[]string{"to point to your ai gateway"},
			upgrade.Fail, "GitLab has no address of a gateway", setURL},
		{[]string{"invalid ai gateway url"},
			upgrade.Fail, "GitLab's address of the gateway is none", setURL},
		{[]string{"user does not have access to code suggestions"},
			upgrade.Fail, "the licence is good, and the user has no access to code suggestions", giveSeat},
		{[]string{"license does not provide access"},
			upgrade.Fail, "the licence does not contain code suggestions", buyLicence},
		{[]string{"cannot access ai gateway"},
			upgrade.Fail, "GitLab does not reach the gateway, or gets no 200 from its /monitoring/healthz", openRoad},
		{[]string{"cloud_connector_self_sign_tokens"},
			upgrade.Inconclusive, "this GitLab's check wants CLOUD_CONNECTOR_SELF_SIGN_TOKENS=1, which is not for production", "leave verify.rake out until GitLab is 17.8 or later"},
		{[]string{"activerecord::recordnotfound", "couldn't find user"},
			upgrade.Inconclusive, "GitLab has no such user", "name an existing user for the check; without one it is root's"},

		// Last, because the task may name it among possible causes.
		{[]string{"permission denied", "operation not permitted"},
			upgrade.Inconclusive, "gitlab-rake lacks a permission there", "let the user of verify.rake run gitlab-rake as root"},
	}
}

// aborted is the verdict on a task that ended with an error. There is no summary
// then: the task prints it last.
func (o Options) aborted(out output, gitlab version.GitLab) upgrade.Check {
	text := slices.Concat(out.errors, out.text)
	said := strings.ToLower(strings.Join(text, "\n"))
	if strings.Contains(said, "don't know how to build task") {
		return skip(o.release(gitlab) + " has no task " + Task)
	}
	for _, t := range troubles() {
		if slices.ContainsFunc(t.says, func(s string) bool { return strings.Contains(said, s) }) {
			return upgrade.Check{Verdict: t.verdict, Detail: t.detail, Remedy: t.remedy}
		}
	}
	detail := fmt.Sprintf("GitLab's check ended with status %d", out.exit)
	switch line := cause(text); {
	case out.exit == 127 || out.exit == 126:
		return unseen("gitlab-rake cannot be run there", "check that verify.rake leads to the GitLab node")
	case out.exit == 137:
		detail += ": it was killed, perhaps for want of memory"
	case line != "":
		detail += ": " + o.quote(line, maxQuote)
	}
	return unseen(detail, "run the check by hand and read what it says: "+byHand)
}

func (o Options) release(gitlab version.GitLab) string {
	if gitlab == (version.GitLab{}) {
		return "this GitLab"
	}
	return "GitLab " + gitlab.String()
}

// cause is the line that says why: the one after rake's own, or else the last one.
// Source: ruby/rake lib/rake/application.rb, display_error_message.
func cause(text []string) string {
	last := ""
	for i, line := range text {
		line = strings.TrimSpace(line)
		if line == "rake aborted!" && i+1 < len(text) {
			return strings.TrimSpace(text[i+1])
		}
		if line != "" {
			last = line
		}
	}
	return last
}
