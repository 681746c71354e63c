package gitlab

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"aigw-ci/internal/upgrade"
)

func TestUnchanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		source  string
		now     http.HandlerFunc
		verdict upgrade.Verdict
		detail  string
		remedy  string
	}{
		{"same", "api", metadataOf("18.2.1-ee"), upgrade.Pass, "still 18.2.1-ee", ""},
		{"patch", "api", metadataOf("18.2.4-ee"), upgrade.Pass, "GitLab went from 18.2.1-ee to 18.2.4-ee meanwhile; the gateway of 18.2 serves both", ""},
		{"minor", "api", metadataOf("18.3.0-ee"), upgrade.Fail, "while this ran: the gateway was chosen for 18.2", "run this again: it will choose the gateway for 18.3"},
		{"back", "api", metadataOf("18.1.6-ee"), upgrade.Fail, "from 18.2.1-ee to 18.1.6-ee", "run this again"},
		{"booting", "api", answer(502, "text/plain", "GitLab is not responding"), upgrade.Inconclusive, "502: GitLab is starting", "wait until"},
		{"token gone", "api", answer(401, jsonType, `{"message":"401 Unauthorized"}`), upgrade.Inconclusive, "401: GitLab does not accept", "gitlab.token"},
		{"setting", "setting", metadataOf("18.3.0-ee"), upgrade.Skip, "gitlab.version is set to 18.2.1-ee", ""},
		{"predefined", "predefined", metadataOf("18.3.0-ee"), upgrade.Skip, "what CI_SERVER_VERSION said", ""},
		{"nothing resolved", "", metadataOf("18.3.0-ee"), upgrade.Skip, "no version of GitLab was read", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, network := serve(t, tt.now)
				resolved := upgrade.Release{Version: v1821, Source: tt.source}
				c := client(t, network, nil)
				got := c.Unchanged(t.Context(), upgrade.Subject{Stage: upgrade.Live, Release: resolved, Settled: true})
				if got.ID != "gitlab.version" || got.Verdict != tt.verdict || !strings.Contains(got.Detail, tt.detail) || !strings.Contains(got.Remedy, tt.remedy) {
					t.Errorf("check %+v, want %s %q %q", got, tt.verdict, tt.detail, tt.remedy)
				}
				if strings.Contains(got.Detail+got.Remedy, "\n") {
					t.Errorf("more than one line: %q", got.Detail)
				}

				fresh := c.Unchanged(t.Context(), upgrade.Subject{Stage: upgrade.Live, Release: resolved})
				if tt.verdict == upgrade.Fail {
					tt.verdict, tt.detail = upgrade.Inconclusive, "not the gateway's doing, so it stays"
				}
				if fresh.Verdict != tt.verdict || !strings.Contains(fresh.Detail, tt.detail) || fresh.Remedy != got.Remedy {
					t.Errorf("of a new gateway: %+v, want %s", fresh, tt.verdict)
				}
			})
		})
	}
}
