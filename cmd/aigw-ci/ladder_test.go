package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
)

// ladder is a gateway that GitLab uses, and a look at it through GitLab. The GitLab
// signs real tokens, and the gateway checks them with the keys that it reads from the
// GitLab it was told of: each failure has its real reason.
type ladder struct {
	*world
	gitlab  *gitlab.Server // the one whose gateway it is
	url     string         // its address
	proxy   string         // knows where gatewayURL is, which no name server does
	reports string

	told  string // the gateway's AIGW_GITLAB_URL
	token string
	env   []string // more settings
}

const (
	gatewayOf189 = "self-hosted-v18.9.1-ee"
	gatewayURL   = "http://gateway.example.com:5052"
)

func newLadder(t *testing.T) *ladder {
	t.Helper()
	l := &ladder{world: newWorld(t, nil), reports: filepath.Join(t.TempDir(), "reports"), token: gitlab.TokenAdmin}
	l.gitlab = gitlab.New(gitlab.Options{Version: "18.9.1-ee", GatewayURL: gatewayURL, Gateway: l})
	l.url = serve(t, l.gitlab)
	l.told = l.url
	l.proxy = serve(t, &httputil.ReverseProxy{Transport: l, Rewrite: func(*httputil.ProxyRequest) {}})
	return l
}

// RoundTrip is the road to gatewayURL, for GitLab and for the proxy.
func (l *ladder) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.URL.Host == "gateway.example.com:5052" {
		r.URL.Host = l.address + ":5052"
	}
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestLadder(t *testing.T) {
	t.Parallel()
	type verdicts map[string]string // of checks, "fail: text in the detail or the remedy"
	for name, tt := range map[string]struct {
		before func(*testing.T, *ladder) // before the gateway starts
		after  func(*ladder)             // while it runs
		exit   int
		want   verdicts
		page   string // of docs/troubleshooting.md, as the log names it
	}{
		"the whole road": {
			want: verdicts{
				"gateway.gitlab": "skip: no complaint about GitLab", "gitlab.version": "pass", "gitlab.url": "pass", "gitlab.probes": "pass",
				"gitlab.direct_access": "pass: accepted its key and gave a token", "gitlab.completion": "pass",
			},
		},
		"a user's token": {
			before: func(_ *testing.T, l *ladder) {
				l.token = gitlab.TokenAIFeatures
				l.env = []string{"AIGW_CI_GITLAB_VERSION=18.9.1-ee"}
			},
			want: verdicts{
				"gitlab.url": "skip: read_api", "gitlab.probes": "skip: read_api",
				"gitlab.direct_access": "pass", "gitlab.completion": "pass",
			},
		},
		"no token": {
			before: func(_ *testing.T, l *ladder) { l.token = ""; l.env = []string{"AIGW_CI_GITLAB_VERSION=18.9.1-ee"} },
			want: verdicts{
				"gateway.gitlab": "skip: no complaint about GitLab", "gitlab.url": "skip: gitlab.token is not set", "gitlab.probes": "skip",
				"gitlab.direct_access": "skip: gitlab.token is not set", "gitlab.completion": "skip",
			},
		},
		"no token where it is demanded": {
			before: func(_ *testing.T, l *ladder) { l.token = ""; l.env = []string{"AIGW_CI_VERIFY_GITLAB=required"} },
			exit:   2, // before anything is looked at
		},
		"a token that cannot do what is demanded": {
			before: func(_ *testing.T, l *ladder) {
				l.token = gitlab.TokenReadAPI
				l.env = []string{"AIGW_CI_VERIFY_GITLAB=required"}
			},
			exit: 1,
			want: verdicts{"gateway.healthz": "pass", "gitlab.url": "fail: an administrator", "gitlab.completion": "fail: ai_features"},
		},
		"GitLab uses another gateway": {
			after: func(l *ladder) { l.gitlab.SetGatewayURL("http://127.0.0.1:1") },
			exit:  1,
			want: verdicts{
				"gitlab.url": "fail: GitLab uses http://127.0.0.1:1, and not", "gitlab.probes": "fail: host_probe",
				"gitlab.direct_access": "inconclusive: cannot reach the gateway", "gitlab.completion": "fail: GitLab got no answer",
			},
			page: "gitlab-url-differs",
		},
		"the address was emptied by the upgrade": {
			after: func(l *ladder) { l.gitlab.SetGatewayURL("") },
			exit:  1,
			want:  verdicts{"gitlab.url": "fail: is not set", "gitlab.probes": "fail: ai_gateway_url_presence_probe"},
			page:  "gitlab-url-differs",
		},
		"the address was emptied and is put back": {
			before: func(_ *testing.T, l *ladder) { l.env = []string{"AIGW_CI_VERIFY_REPAIR_URL=true"} },
			after:  func(l *ladder) { l.gitlab.SetGatewayURL("") },
			want: verdicts{
				"gitlab.url":           "warn: verify.repair_url changed it from nothing to",
				"gitlab.direct_access": "pass", "gitlab.completion": "pass",
			},
			page: "gitlab-url-differs",
		},
		"the gateway was told of another GitLab": {
			before: func(t *testing.T, l *ladder) { l.told = another(t) },
			exit:   1,
			want: verdicts{
				"gateway.healthz": "pass", "gitlab.url": "pass",
				"gitlab.direct_access": "fail: AIGW_GITLAB_URL", "gitlab.completion": "fail: does not accept GitLab's key",
			},
		},
		"the gateway was told of nobody": {
			before: func(_ *testing.T, l *ladder) { l.told = "http://127.0.0.1:1" },
			exit:   1,
			want:   verdicts{"gateway.gitlab": "fail"},
			page:   "gitlab-",
		},
		"the gateway does not trust GitLab": {
			before: func(t *testing.T, l *ladder) { l.told = untrusted(t, l.gitlab) },
			exit:   1,
			want:   verdicts{"gateway.gitlab": "fail"},
			page:   "gitlab-certificate-untrusted",
		},
		"GitLab's clock is slow": {
			after: func(l *ladder) { l.gitlab.SetClock(-2 * time.Hour) },
			exit:  1,
			want: verdicts{
				"gitlab.url": "pass", "gitlab.direct_access": "fail: both clocks are right", "gitlab.completion": "fail: both clocks are right",
			},
		},
		"GitLab's clock is fast": {
			after: func(l *ladder) { l.gitlab.SetClock(2 * time.Hour) },
			exit:  1,
			want:  verdicts{"gitlab.direct_access": "fail", "gitlab.completion": "fail: both clocks are right"},
		},
		"GitLab signs with another key": {
			after: func(l *ladder) { l.gitlab.RotateKey() },
			exit:  1,
			want: verdicts{
				"gitlab.url": "pass", "gitlab.direct_access": "fail: loaded its keys", "gitlab.completion": "fail: loaded its keys",
			},
		},
		"GitLab is in maintenance": {
			after:  func(l *ladder) { l.gitlab.SetFaults(gitlab.Maintenance().On("POST", "/api/")) },
			before: func(_ *testing.T, l *ladder) { l.env = []string{"AIGW_CI_GITLAB_VERSION=18.9.1-ee"} },
			exit:   6,
			want:   verdicts{"gateway.healthz": "pass", "gitlab.completion": "inconclusive: maintenance"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLadder(t)
			if tt.before != nil {
				tt.before(t, l)
			}
			l.raise(t)
			if tt.after != nil {
				tt.after(l)
			}
			code, said := l.run(t, "verify")
			if code != tt.exit {
				t.Errorf("exit code %d, want %d", code, tt.exit)
			}
			found := l.checks(t)
			for id, want := range tt.want {
				verdict, text, _ := strings.Cut(want, ": ")
				if c := found[id]; c.Verdict != verdict || !strings.Contains(c.Detail+" | "+c.Remedy, text) {
					t.Errorf("%s is %s, want %s: %s | %s", id, c.Verdict, want, c.Detail, c.Remedy)
				}
			}
			if tt.page != "" && !strings.Contains(said, "more: docs/troubleshooting.md#"+tt.page) {
				t.Errorf("it does not name the page's %s", tt.page)
			}
			if t.Failed() {
				t.Log(said)
			}
		})
	}
}

// raise starts the gateway.
func (l *ladder) raise(t *testing.T) {
	t.Helper()
	key, err := oneKey()
	if err != nil {
		t.Fatal(err)
	}
	command := []string{"-d", "--name", "gitlab-aigw", "-p", l.address + ":5052:5052", "-p", l.address + ":50052:50052", "-e", "AIGW_GITLAB_URL=" + l.told}
	for _, name := range []string{
		"AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY", keyVariable, "DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY",
	} {
		command = append(command, "-e", name+"="+string(key))
	}
	err = errors.Join(
		l.estate.Publish(gatewayOf189, gateway.Healthy),
		l.admin.run(append(command, l.estate.Repository()+":"+gatewayOf189)),
	)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := l.admin.inspect("gitlab-aigw"); err != nil || !c.boots() {
		t.Fatalf("the gateway does not answer: %v", err)
	}
}

// run runs the program in this process.
func (l *ladder) run(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	env := append(l.environ(), "HTTP_PROXY="+l.proxy, "AIGW_CI_REPORT_DIR="+l.reports, "AIGW_CI_VERIFY_SUCCESSES=1",
		"AIGW_CI_GATEWAY_URL="+gatewayURL, "AIGW_CI_GITLAB_URL="+l.url, "AIGW_CI_GITLAB_TOKEN="+l.token)
	code = run(t.Context(), args, system{
		environ: append(env, l.env...), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hostname: "host.example.com", pace: hurried,
	})
	secrets := l.secrets
	if l.token != "" {
		secrets = append(secrets, l.token)
	}
	if err := errors.Join(keptContract(l.reports, code), leaks(secrets, out.String(), l.reports)); err != nil {
		t.Error(err)
	}
	return code, out.String()
}

type reportedCheck struct{ ID, Stage, Verdict, Detail, Remedy string }

// checks are the report's, of the live gateway.
func (l *ladder) checks(t *testing.T) map[string]reportedCheck {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.reports, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct{ Checks []reportedCheck }
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	found := map[string]reportedCheck{}
	for _, c := range report.Checks {
		if c.Stage == "live" {
			found[c.ID] = c
		}
	}
	return found
}

// another is a GitLab that is none of ours: its address.
func another(t *testing.T) string {
	other := gitlab.New(gitlab.Options{Version: "18.9.1-ee"})
	other.RotateKey()
	return serve(t, other)
}

// untrusted serves a GitLab with a certificate that nobody trusts.
func untrusted(t *testing.T, h http.Handler) string {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
