package kubernetes

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// gatewayWith is a rendered release whose gateway has this environment.
func gatewayWith(environment string, others ...string) string {
	return strings.Join(append([]string{`apiVersion: apps/v1
kind: Deployment
metadata: {name: ai-gateway}
spec:
  template:
    spec:
      containers:
      - name: ai-gateway
        image: ` + gatewayImage + "\n" + environment}, others...), "\n---\n")
}

func TestRequire(t *testing.T) {
	t.Parallel()
	good, err := gateway.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(value string) string {
		s := "apiVersion: v1\nkind: Secret\nmetadata: {name: jwt-keys}\ndata:\n"
		for _, name := range []string{
			"AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY",
			"DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY", "DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY",
		} {
			s += fmt.Sprintf("  %s: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
		}
		return s
	}
	const (
		settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ai-gateway}\n" +
			"data: {AIGW_GITLAB_URL: https://gitlab.example.com, AIGW_GITLAB_API_URL: https://gitlab.example.com/api/v4/, DUO_WORKFLOW_AUTH__ENABLED: 'true'}"
		whole    = "        envFrom: [{configMapRef: {name: ai-gateway}}, {secretRef: {name: jwt-keys}}]"
		bare     = "        envFrom: [{configMapRef: {name: ai-gateway}}]"
		external = "        envFrom: [{configMapRef: {name: ai-gateway}}, {secretRef: {name: mine}}]"
		byKey    = bare + "\n        env:\n" +
			"        - {name: AIGW_SELF_SIGNED_JWT__SIGNING_KEY, valueFrom: {secretKeyRef: {name: jwt-keys, key: AIGW_SELF_SIGNED_JWT__SIGNING_KEY}}}\n" +
			"        - {name: AIGW_SELF_SIGNED_JWT__VALIDATION_KEY, valueFrom: {secretKeyRef: {name: mine, key: validation}}}\n" +
			"        - {name: DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY, valueFrom: {secretKeyRef: {name: mine, key: agents}}}\n" +
			"        - {name: DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY, valueFrom: {secretKeyRef: {name: mine, key: agents-validation}}}\n"
	)
	for name, tt := range map[string]struct {
		from     string // the tag that runs; empty: none
		to       string
		manifest string
		refusals int
		notes    int
		says     string
	}{
		"all is there":                           {"self-hosted-v18.8.0-ee", "self-hosted-v18.9.1-ee", gatewayWith(whole, settings, keys(good.Reveal())), 0, 0, ""},
		"crossing, without keys":                 {"self-hosted-v18.8.0-ee", "self-hosted-v18.9.1-ee", gatewayWith(bare, settings), 3, 1, "AIGW_SELF_SIGNED_JWT__SIGNING_KEY is not set, which gateways of GitLab 18.9 and later need: take a newer chart (kubernetes.chart.version)"},
		"crossed long ago, without keys":         {"self-hosted-v18.9.0-ee", "self-hosted-v18.9.1-ee", gatewayWith(bare, settings), 0, 4, "take a newer chart"},
		"before the line":                        {"self-hosted-v18.7.0-ee", "self-hosted-v18.8.0-ee", gatewayWith(bare, settings), 0, 1, "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY"},
		"an installation without keys":           {"", "self-hosted-v18.9.1-ee", gatewayWith(bare, settings), 0, 4, "take a newer chart"},
		"maybe in a Secret of the administrator": {"self-hosted-v18.8.0-ee", "self-hosted-v18.9.1-ee", gatewayWith(external, settings), 0, 4, "unless Secret mine has it"},
		"key by key":                             {"self-hosted-v18.8.0-ee", "self-hosted-v18.9.1-ee", gatewayWith(byKey, settings, keys(good.Reveal())), 0, 0, ""},
		"keys of no use":                         {"self-hosted-v18.9.0-ee", "self-hosted-v18.9.1-ee", gatewayWith(whole, settings, keys("none")), 4, 0, "cannot be used"},
		"without GitLab's address":               {"self-hosted-v18.9.0-ee", "self-hosted-v18.9.1-ee", gatewayWith("        envFrom: [{secretRef: {name: jwt-keys}}]", keys(good.Reveal())), 0, 2, "AIGW_GITLAB_URL is not set"},
		"a build of the main branch":             {"self-hosted-v18.8.0-ee", "0123abcd", gatewayWith(bare, settings), 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &blueprint{install: tt.from == "", manifest: tt.manifest, workload: theWorkload}
			b.image = "registry.example.com/model-gateway:" + tt.from
			notes, refusals, err := (&Target{}).require(b, upgrade.Image{Tag: tt.to})
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Join(append(notes, refusals...), "\n")
			if len(refusals) != tt.refusals || len(notes) != tt.notes || !strings.Contains(said, tt.says) {
				t.Errorf("%d refusals, %d notes, want %d and %d, and %q:\n%s", len(refusals), len(notes), tt.refusals, tt.notes, tt.says, said)
			}
			if strings.Contains(said, good.Reveal()[100:200]) {
				t.Error("it says a key")
			}
		})
	}
}
