package rake

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

const (
	passed       = upgrade.Pass
	failed       = upgrade.Fail
	warned       = upgrade.Warn
	skipped      = upgrade.Skip
	inconclusive = upgrade.Inconclusive
)

// sample is what the task writes in one of its forms.
func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// aborted is how rake reports an error that a task raised.
func aborted(message string) string {
	return "rake aborted!\n" + message + "\n/opt/gitlab/embedded/service/gitlab-rails/ee/lib/tasks/gitlab/duo.rake:9:in `block'\n" +
		"Tasks: TOP => gitlab:duo:verify_self_hosted_setup\n(See full trace by running task with --trace)\n"
}

func TestJudge(t *testing.T) {
	v3, v4 := sample(t, "v3.txt"), sample(t, "v4.txt")
	tests := []struct {
		name           string
		stdout, stderr string
		exit           int
		url            string // gateway.url

		verdict upgrade.Verdict
		says    string // in the detail
		remedy  string // in the remedy
	}{
		{name: "text alone", stdout: sample(t, "v2.txt"), verdict: passed, says: "3 parts"},
		{name: "text with another mark", stdout: "☑ URL\n✓ licence\n✅️ health\n", verdict: passed, says: "3 parts"},
		{name: "text in words", stdout: "[PASS] URL\nLicence: PASS\n", verdict: passed, says: "2 parts"},
		{name: "text in boxes", stdout: "│ ✔ URL     │\n│ ✗ gateway │\n", verdict: failed, says: "✗ gateway"},
		{name: "text with a failed part", stdout: "✔ URL\ngateway \x1b[31m✘\x1b[0m\n", verdict: failed, says: "gateway ✘", remedy: "by hand"},
		{name: "text with a failed part in words", stdout: "PASS: URL\nFAIL: gateway\n", verdict: failed, says: "FAIL: gateway"},
		{name: "text with a failed part at the end", stdout: "✔ URL\ngateway: ERROR\n", verdict: failed, says: "gateway: ERROR"},
		{name: "text with a warning", stdout: "✔ URL\n⚠️  no models\n", verdict: warned, says: "no models"},
		{name: "only a warning", stdout: "⚠ no models\n", verdict: inconclusive, says: "nothing that this program knows"},
		{name: "noise on the error stream", stdout: "✔ URL\n", stderr: "ERROR: a gem is old\n", verdict: passed},
		{name: "nothing", verdict: inconclusive, says: "nothing that this program knows"},
		{name: "something else", stdout: "HTTP/1.1 200 OK\n<html>PASS the salt</html>\n", verdict: inconclusive},
		{name: "binary", stdout: "\xff\xfe\x00\x01", verdict: inconclusive},

		{name: "18.9", stdout: v3, verdict: passed, says: "GitLab 18.9.0-ee checked its gateway"},
		{name: "18.9, Windows line ends and colours", stdout: "\x1b[0m" + strings.ReplaceAll(v3, "\n", "\r\n"), verdict: passed},
		{name: "18.9, models at /v1", stdout: sample(t, "v3-models-at-v1.txt"), verdict: warned, says: "581299"},
		{name: "18.9, no models", stdout: sample(t, "v3-no-models.txt"), verdict: warned, says: "the models: WARNING; the features' models: WARNING"},
		{name: "18.9, no access", stdout: strings.Replace(v3, `"user_has_access": true`, `"user_has_access": false`, 1), verdict: failed, says: "no access", remedy: "seat"},
		{name: "18.9, no licence", stdout: strings.Replace(v3, `"feature_available": true`, `"feature_available": false`, 1), verdict: failed, says: "licence", remedy: "activate"},
		{name: "18.9, half a licence", stdout: strings.Replace(v3, `"feature_available": true`, `"feature_available": null`, 1), verdict: inconclusive, says: "half"},
		{name: "18.9, unknown status", stdout: strings.Replace(v3, `"status": "OK"`, `"status": "MAYBE"`, 1), verdict: inconclusive, says: "the gateway's address: MAYBE"},
		{name: "18.9, hostile status", stdout: strings.Replace(v3, `"status": "OK"`, `"status": "sk-1234567890abcdef"`, 1), verdict: inconclusive, says: "no status that this program knows"},
		{name: "18.9, no health", stdout: strings.Replace(v3, `"ai_gateway_health"`, `"other"`, 1), verdict: inconclusive, says: "does not say how the gateway's health is"},
		{name: "18.9, no licence part", stdout: strings.Replace(v3, `"license": {`, `"other": {`, 1), verdict: inconclusive, says: "the licence"},
		{name: "18.9, summary cut off", stdout: v3[:len(v3)-400], verdict: inconclusive, says: "cannot be read"},
		{name: "18.9, summary empty", stdout: strings.SplitAfter(v3, "support)\n")[0], verdict: inconclusive, says: "cannot be read"},
		{name: "18.9, summary null", stdout: strings.SplitAfter(v3, "support)\n")[0] + "{}\n", verdict: inconclusive},
		{name: "18.9, text and summary disagree", stdout: "❌ gateway\n" + v3, verdict: inconclusive, says: "❌ gateway"},
		{name: "18.9, a summary inside a name", stdout: strings.Replace(v3, "mistral", `\nDIAGNOSTIC SUMMARY\n{}`, 1), verdict: passed},
		{name: "18.9, bad news after a fake summary", stdout: v3 + strings.Replace(v3, `"user_has_access": true`, `"user_has_access": false`, 1), verdict: failed},

		{name: "19.2", stdout: v4, verdict: passed, says: "19.2.1-ee"},
		{name: "19.2, WebSocket", stdout: sample(t, "v4-websocket.txt"), verdict: failed, says: "the Agent Platform's WebSocket: ERROR; the Agent Platform's service: WARNING", remedy: "Upgrade"},
		{name: "19.2, models", stdout: sample(t, "v4-models.txt"), verdict: failed, says: "requests to the models: ERROR", remedy: "endpoints"},
		{name: "19.2, TLS", stdout: sample(t, "v4-tls.txt"), verdict: failed, says: "connection from GitLab", remedy: "certificate"},
		{name: "a later part fails", stdout: strings.Replace(v4, `"system": {`, `"moon_phase": {"status": "ERROR"}, "system": {`, 1), verdict: failed, says: "moon phase: ERROR"},
		{name: "a later part is skipped", stdout: strings.Replace(v4, `"system": {`, `"moon_phase": {"status": "SKIPPED"}, "x": [1], "system": {`, 1), verdict: passed},
		{name: "this gateway", stdout: v4, url: "https://AIGW.example.com:443/", verdict: passed},
		{name: "another gateway", stdout: v4, url: "https://new.example.com", verdict: inconclusive, says: "uses another gateway, https://aigw.example.com, and not https://new.example.com", remedy: "https://new.example.com"},
		{name: "another gateway, which fails", stdout: sample(t, "v4-tls.txt"), url: "https://new.example.com", verdict: inconclusive, says: "another gateway"},

		{name: "no URL, 17.4", stderr: aborted("Set 'AI_GATEWAY_URL' to point to your AI Gateway Instance"), exit: 1, verdict: failed, says: "no address", remedy: "AI_GATEWAY_URL"},
		{name: "no URL, 18.9", stderr: aborted("Set 'Ai::Setting.instance.ai_gateway_url' to point to your AI Gateway instance"), exit: 1, verdict: failed, says: "no address", remedy: "Local AI Gateway URL"},
		{name: "no URL, 19.2", stderr: aborted("Set the 'ai_gateway_url' application setting to point to your AI Gateway instance"), exit: 1, verdict: failed, says: "no address", remedy: "19.2"},
		{name: "invalid URL", stderr: aborted("Invalid AI Gateway URL format: gateway"), exit: 1, verdict: failed, says: "is none", remedy: "Local AI Gateway URL"},
		{name: "no seat", stderr: aborted("License is correct, but user does not have access to code suggestions. Check it"), exit: 1, verdict: failed, says: "no access", remedy: "seat"},
		{name: "no licence", stderr: aborted("License does not provide access to code suggestions, verify your license"), exit: 1, verdict: failed, says: "does not contain", remedy: "licence"},
		{name: "no gateway", stderr: aborted("Cannot access AI Gateway. Possible causes: permission denied, DNS"), exit: 1, verdict: failed, says: "does not reach", remedy: "firewalls"},
		{name: "on the other stream", stdout: aborted("Cannot access AI Gateway. Possible causes: DNS"), exit: 1, verdict: failed, says: "does not reach"},
		{name: "developer's variable", stderr: aborted("Set 'CLOUD_CONNECTOR_SELF_SIGN_TOKENS' to '1'"), exit: 1, verdict: inconclusive, says: "not for production"},
		{name: "no such user", stderr: aborted("ActiveRecord::RecordNotFound: Couldn't find User"), exit: 1, verdict: inconclusive, says: "no such user"},
		{name: "no such task", stderr: aborted("Don't know how to build task 'gitlab:duo:verify_self_hosted_setup' (See the list of available tasks with `rake --tasks`)"), exit: 1, verdict: skipped, says: "GitLab 18.9.1-ee has no task"},
		{name: "no database", stderr: aborted("PG::ConnectionBad: connection to server failed"), exit: 1, verdict: inconclusive, says: "database"},
		{name: "sudo asks", stderr: "sudo: a password is required\n", exit: 1, verdict: inconclusive, says: "as root", remedy: "NOPASSWD"},
		{name: "sudo refuses", stderr: "Sorry, user deploy is not allowed to execute '/usr/bin/gitlab-rake' as root on gitlab.\n", exit: 1, verdict: inconclusive, remedy: "NOPASSWD"},
		{name: "no sudo", stderr: "sudo: not found", exit: 127, verdict: inconclusive, says: "no sudo"},
		{name: "not the GitLab node", stderr: "bash: line 1: gitlab-rake: command not found\n", exit: 127, verdict: inconclusive, says: "no gitlab-rake"},
		{name: "not GitLab's container", stdout: `OCI runtime exec failed: exec failed: unable to start container process: exec: "gitlab-rake": executable file not found in $PATH: unknown`, exit: 127, verdict: inconclusive, says: "no gitlab-rake"},
		{name: "another program missing", exit: 127, verdict: inconclusive, says: "cannot be run"},
		{name: "no rights", stderr: "cannot read /opt/gitlab/etc/gitlab-rails-rc: Permission denied\n", exit: 1, verdict: inconclusive, says: "configuration"},
		{name: "no rights elsewhere", stderr: "Errno::EACCES: Permission denied @ rb_sysopen\n", exit: 1, verdict: inconclusive, says: "permission"},
		{name: "killed", stdout: "✔ URL\n", exit: 137, verdict: inconclusive, says: "killed"},
		{name: "unknown error", stderr: aborted("NoMethodError: undefined method 'x' for nil"), exit: 1, verdict: inconclusive, says: "status 1: NoMethodError: undefined method"},
		{name: "all good, and an error", stdout: v4, exit: 1, verdict: inconclusive, says: "status 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := Options{GatewayURL: tt.url}
			c := o.judge(readOutput([]byte(tt.stdout), []byte(tt.stderr), tt.exit), version.GitLab{Major: 18, Minor: 9, Patch: 1, Edition: version.Enterprise})
			if c.Verdict != tt.verdict || !strings.Contains(c.Detail, tt.says) || !strings.Contains(c.Remedy, tt.remedy) {
				t.Errorf("%s: %q, remedy %q; want %s with %q, remedy with %q", c.Verdict, c.Detail, c.Remedy, tt.verdict, tt.says, tt.remedy)
			}
			fit(t, c)
		})
	}
}

// fit wants a check that can be shown.
func fit(t *testing.T, c upgrade.Check) {
	t.Helper()
	said := c.Detail + c.Remedy
	if strings.Contains(said, "SECRET") {
		t.Errorf("it shows a secret: %q", said)
	}
	if strings.ContainsAny(said, "\x1b\n\r\x00") || len(said) > 4000 {
		t.Errorf("it is not fit for a log: %q", said)
	}
	if c.Detail == "" || c.Verdict == failed && c.Remedy == "" {
		t.Errorf("it lacks a detail or a remedy: %+v", c)
	}
}

func TestQuotesHoldNoSecrets(t *testing.T) {
	o := Options{Redactor: secret.NewRedactor("hunter2-SECRET")}
	for _, line := range []string{
		"URI::InvalidURIError: https://root:SECRET@gitlab.example.com",
		"token glpat-SECRET12345678901234 is refused",
		"Authorization: Bearer SECRET1234567890",
		"header authorization => SECRET1234567890",
		"eyJhbGciOiJSUzI1NiJ9.SECRET.SECRET",
		"OPENAI_API_KEY=SECRET",
		"sk-SECRET12345678901234",
		"with hunter2-SECRET inside",
		`{"password":"SECRET"}`,
	} {
		for _, out := range []output{
			readOutput(nil, []byte(aborted(line)), 1),
			readOutput([]byte("❌ "+line+"\n"), nil, 0),
		} {
			c := o.judge(out, version.GitLab{})
			fit(t, c)
			if !strings.Contains(c.Detail, secret.Redacted) {
				t.Errorf("%q becomes %q", line, c.Detail)
			}
		}
	}
	if got := o.quote("ssh://deploy@gitlab.example.com: é"+strings.Repeat("é", 200), 100); !strings.HasPrefix(got, "ssh://deploy@gitlab.example.com") || len(got) > 103 {
		t.Errorf("%q", got)
	}
}

// A key has several lines, of which none is quoted by itself.
func TestQuotesHoldNoLineOfAKey(t *testing.T) {
	key := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: bytes.Repeat([]byte("\x48\x40\x91\x11\x34\xd3"), 100)})) // SECRETTT, again and again
	for name, said := range map[string][2]string{
		"the last thing it says": {"", aborted("wrong key: " + key)},
		"only a key":             {"", key[:len(key)-40]},
		"a failed check":         {"❌ wrong key: " + strings.ReplaceAll(key, "\n", "\n❌ "), ""},
	} {
		for _, exit := range []int{0, 1} {
			check := Check(Options{
				Mode: Required, Way: Way{Kind: Local}, SwitchFlagOn: true,
				Runner: RunnerFunc(func(context.Context, []string) ([]byte, []byte, int, error) {
					return []byte(said[0]), []byte(said[1]), exit, nil
				}),
			})
			c := check(t.Context(), upgrade.Subject{Stage: upgrade.Live, Release: upgrade.Release{Version: version.GitLab{Major: 18, Minor: 4}}})
			if fit(t, c); strings.Contains(c.Detail+c.Remedy, "SECR") {
				t.Errorf("%s, status %d: %q", name, exit, c.Detail)
			}
		}
	}
}

// FuzzJudge looks for output that makes a pass out of nothing, or a check that
// cannot be shown.
func FuzzJudge(f *testing.F) {
	for _, name := range []string{"v2.txt", "v3.txt", "v4.txt", "v4-tls.txt"} {
		f.Add([]byte(sample(f, name)), []byte(""), 0)
	}
	f.Add([]byte(""), []byte(aborted("Cannot access AI Gateway. Possible causes:")), 1)
	f.Add([]byte("│ ✔ URL │\n❌\n"), []byte("\x1b[31mERROR"), 0)
	f.Fuzz(func(t *testing.T, stdout, stderr []byte, exit int) {
		o := Options{GatewayURL: "https://aigw.example.com"}
		c := o.judge(readOutput(stdout, stderr, exit), version.GitLab{})
		if strings.ContainsAny(c.Detail+c.Remedy, "\x1b\n\r\x00") || c.Detail == "" || len(c.Detail) > 4000 {
			t.Errorf("%q", c.Detail)
		}
		if c.Verdict == passed && (exit != 0 || strings.ContainsAny(string(stdout), failMarks) && !strings.Contains(string(stdout), heading) && len(markedLines(lines(stdout))[failed]) > 0) {
			t.Errorf("a pass: exit %d, %q", exit, stdout)
		}
		if (c.Verdict == failed || c.Verdict == inconclusive) && c.Remedy == "" {
			t.Errorf("no remedy: %+v", c)
		}
	})
}
