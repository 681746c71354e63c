package verify

import (
	"context"
	"errors"
	"net"
	"testing"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// speaking is a stub that tells its AIGW_GITLAB_URL.
type speaking struct {
	*stub
	url string
	err error
}

func (g speaking) GitLabURL(context.Context) (string, error) { return g.url, g.err }

// What counts is what the gateway was told, and not what this job takes for it.
func TestTold(t *testing.T) {
	t.Parallel()
	const ours = "http://gitlab.example.com"
	for _, tt := range []struct {
		name    string
		told    string
		err     error
		job     string // GitLab by this job's settings
		dialed  string
		verdict upgrade.Verdict
		why     gateway.DiagnosisID
	}{
		{name: "the same", told: ours + "/", job: ours, dialed: "gitlab.example.com:80", verdict: upgrade.Warn, why: gateway.GitLabWithoutTLS},
		{name: "another way to the same", told: "http://gitlab.internal.example.com", job: "https://gitlab.example.com", dialed: "gitlab.internal.example.com:80", verdict: upgrade.Warn, why: gateway.GitLabWithoutTLS},
		{name: "another GitLab", told: "http://old.example.com", job: "https://new.example.com", dialed: "old.example.com:80", verdict: upgrade.Warn, why: gateway.GitLabWrongAddress},
		{name: "nothing", job: ours, verdict: upgrade.Warn, why: gateway.GitLabWrongAddress},
		{name: "nothing, and nothing is known here", verdict: upgrade.Skip},
		{name: "the default will do", job: "https://gitlab.com/", dialed: "gitlab.com:443", verdict: upgrade.Fail, why: gateway.GitLabNoTLS},
		{name: "no address", told: "gitlab.example.com", job: ours, verdict: upgrade.Fail, why: gateway.GitLabWrongAddress},
		{name: "a password", told: "http://ci:hunter2@gitlab.example.com", job: ours, verdict: upgrade.Fail, why: gateway.GitLabWrongAddress},
		{name: "it does not say", err: errors.New("EOF"), job: ours, dialed: "gitlab.example.com:80", verdict: upgrade.Warn, why: gateway.GitLabWithoutTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dialed := ""
			checks := sick(t, func(p *patient) {
				p.options.GitLabURL = tt.job
				there := newServer(t, gitlab("http://gitlab.internal.example.com/oauth/discovery/keys"))
				p.dialFrom = func(ctx context.Context, addr string) (net.Conn, error) {
					if dialed == "" {
						dialed = addr
					}
					return new(net.Dialer).DialContext(ctx, "tcp", there[len("http://"):])
				}
				p.subject.Gateway = speaking{p.stub, tt.told, tt.err}
			})
			diagnosed(t, checks, GitLab, tt.verdict, tt.why)
			if dialed != tt.dialed {
				t.Errorf("asked %q, want %q", dialed, tt.dialed)
			}
		})
	}
}
