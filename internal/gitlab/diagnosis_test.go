package gitlab

import (
	"testing"
	"testing/synctest"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/lab/gitlab"
)

// What only GitLab shows of a gateway is found in the catalogue by its name, and the
// catalogue's cure is what is told.
func TestKnownTrouble(t *testing.T) {
	t.Parallel()
	another := func(e *estate) { e.server.SetGatewayURL("http://old.example.com:5052") }
	emptied := func(e *estate) { e.server.SetVersion("19.1.2-ee"); e.version = "19.2.0-ee" }
	mismatch := gatewaySays(401, `{"error":"Header mismatch 'X-Gitlab-Instance-Id'"}`)
	settingsSay := func(url, agents string) func(*estate) {
		return gitlabSays("/graphql", 200, `{"data":{"duoSettings":{"aiGatewayUrl":"`+url+`","duoAgentPlatformServiceUrl":"`+agents+`"}}}`)
	}
	for _, tt := range []struct {
		name   string
		change func(*estate)
		rung   string
		known  gateway.DiagnosisID
		cured  bool // by the catalogue's words
	}{
		{"another gateway", another, urlRung, gateway.GitLabURLDiffers, true},
		{"another gateway, used", another, directRung, gateway.GitLabURLDiffers, true},
		{"none", func(e *estate) { e.server.SetGatewayURL("") }, urlRung, gateway.GitLabURLDiffers, true},
		{"another one, put right", func(e *estate) { another(e); e.ladder.RepairURL = true }, urlRung, gateway.GitLabURLDiffers, false},
		{"emptied by the upgrade", emptied, urlRung, gateway.GitLabURLCleared, true},
		{"an Agent Platform by URL", settingsSay(gatewayURL, "https://gateway.example.com:8443"), urlRung, gateway.AgentPlatformURL, true},
		{"an Agent Platform", settingsSay(gatewayURL, "gateway.example.com:8443"), urlRung, "", false},
		{"another instance", mismatch, completionRung, gateway.InstanceIDMismatch, true},
		{"another instance, direct", func(e *estate) { mismatch(e); e.version = "19.1.0-ee" }, directRung, gateway.InstanceIDMismatch, true},
		{"a misleading probe", func(e *estate) {
			e.server.SetProbes(gitlab.Probe{Name: "ai_gateway_url_presence_probe", Success: true}, gitlab.Probe{Name: "end_to_end_probe"})
		}, probesRung, gateway.GitLabHealthCheck, true},
		{"all is well", nil, urlRung, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got := newEstate().climb(t.Context(), t, tt.change)[tt.rung]
				if got.Diagnosis != string(tt.known) {
					t.Errorf("%s is %q, want %q: %s", tt.rung, got.Diagnosis, tt.known, got.Detail)
				}
				if tt.cured {
					wantCheck(t, got, got.Verdict, tt.known.Cure())
				}
			})
		})
	}
}
