package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/upgrade"
)

const renderedBefore = `---
# Source: ai-gateway/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ai-gateway
  labels: {helm.sh/chart: ai-gateway-0.15.0}
spec:
  replicas: 1
  template:
    metadata:
      labels: {helm.sh/chart: ai-gateway-0.15.0}
      annotations: {checksum/config: aaa, example.com/auth: open-sesame-1}
    spec:
      containers:
      - name: ai-gateway
        image: registry.example.com/gateway:1
        args: [--key, open-sesame-1]
        env:
        - {name: AIGW_LOGGING__LEVEL, value: info}
        - {name: ANTHROPIC_API_KEY, value: open-sesame-1}
        - {name: HTTPS_PROXY, value: "http://u:open-sesame-1@proxy.example.com"}
        livenessProbe: {httpGet: {port: api, httpHeaders: [{name: Authorization, value: open-sesame-1}]}}
---
apiVersion: v1
kind: Secret
metadata: {name: ai-gateway}
data: {key: b3Blbi1zZXNhbWUtMQ==, old: b3Blbi1zZXNhbWUtMQ==}
stringData: {text: open-sesame-1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ai-gateway}
data: {AIGW_GITLAB_URL: "https://u:open-sesame-1@gitlab.example.com", nginx.conf: "auth open-sesame-1"}
---
apiVersion: example.com/v1
kind: Vault
metadata: {name: v}
spec: {apiToken: open-sesame-1, url: "https://u:open-sesame-1@x.example.com", size: 1}
---
apiVersion: v1
kind: Service
metadata: {name: gone}
---
apiVersion: v1
kind: Pod
metadata: {name: test, annotations: {helm.sh/hook: test}}
spec: {nodeName: a}
`

var renderedAfter = strings.NewReplacer(
	"gateway:1", "gateway:2", "0.15.0", "0.15.1", "aaa", "bbb", "replicas: 1", "replicas: 2", "size: 1", "size: 2", "nodeName: a", "nodeName: b",
	"open-sesame-1", "open-sesame-2", "b3Blbi1zZXNhbWUtMQ==, old: b3Blbi1zZXNhbWUtMQ==", "b3Blbi1zZXNhbWUtMg==",
	"name: gone", "name: new", "- {name: AIGW_LOGGING__LEVEL, value: info}\n", "- {name: FIRST, value: open-sesame-2}\n        - {name: AIGW_LOGGING__LEVEL, value: debug}\n",
).Replace(renderedBefore)

func TestDifference(t *testing.T) {
	t.Parallel()
	got, err := difference(renderedBefore, renderedAfter)
	if err != nil {
		t.Fatal(err)
	}
	const hidden, changed = "[redacted]", "[redacted] (changed)"
	const container = "Deployment/ai-gateway: spec.template.spec.containers[ai-gateway]"
	want := []upgrade.Change{
		{Field: "annotations: checksum/config", From: "aaa", To: "bbb"},
		{Field: "labels: helm.sh/chart", From: "ai-gateway-0.15.0", To: "ai-gateway-0.15.1"},
		{Field: "ConfigMap/ai-gateway: data.AIGW_GITLAB_URL", From: "https://xxxxx@gitlab.example.com", To: "https://xxxxx@gitlab.example.com (changed)"},
		{Field: "ConfigMap/ai-gateway: data[nginx.conf]", From: hidden, To: changed},
		{Field: "Deployment/ai-gateway: spec.replicas", From: "1", To: "2"},
		{Field: "Deployment/ai-gateway: spec.template.metadata.annotations[example.com/auth]", From: hidden, To: changed},
		{Field: container + ".args[1]", From: hidden, To: changed},
		{Field: container + ".env[AIGW_LOGGING__LEVEL].value", From: "info", To: "debug"},
		{Field: container + ".env[ANTHROPIC_API_KEY].value", From: hidden, To: changed},
		{Field: container + ".env[FIRST].name", To: "FIRST"},
		{Field: container + ".env[FIRST].value", To: hidden},
		{Field: container + ".env[HTTPS_PROXY].value", From: hidden, To: changed},
		{Field: container + ".image", From: "registry.example.com/gateway:1", To: "registry.example.com/gateway:2"},
		{Field: container + ".livenessProbe.httpGet.httpHeaders[Authorization].value", From: hidden, To: changed},
		{Field: "Secret/ai-gateway: data.key", From: hidden, To: changed},
		{Field: "Secret/ai-gateway: data.old", From: hidden, To: "(removed)"},
		{Field: "Secret/ai-gateway: stringData.text", From: hidden, To: changed},
		{Field: "Service/gone", From: "(exists)", To: "(removed)"},
		{Field: "Service/new", To: "(new)"},
		{Field: "Vault/v: spec.apiToken", From: hidden, To: changed},
		{Field: "Vault/v: spec.size", From: "1", To: "2"},
		{Field: "Vault/v: spec.url", From: "https://xxxxx@x.example.com", To: "https://xxxxx@x.example.com (changed)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if all := fmt.Sprint(got); strings.Contains(all, "sesame") || strings.Contains(all, "b3Blbi") {
		t.Errorf("a secret is shown: %s", all)
	}
	if same, err := difference(renderedAfter, renderedAfter); err != nil || len(same) > 0 {
		t.Errorf("the same is different: %v, %v", same, err)
	}
}

func TestDifferenceRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: [open-sesame": "not YAML",
		"a: 1":            "no object",
		"a: &a \"" + strings.Repeat("x", 1<<16) + "\"\nb: [" + strings.Repeat("*a,", 1000) + "]": "grows beyond",
		strings.Repeat("---\nkind: A\nmetadata: {name: x}\n", 2) + "---\nkind: A\n":              "no name",
	} {
		if _, err := difference("", text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%.40q: error %v, want one with %q", text, err, want)
		}
	}
	if many, err := difference("", strings.Repeat("---\nkind: A\nmetadata: {name: x}\n", 3)); err != nil || len(many) == 0 {
		t.Errorf("an object that is there twice: %v, %v", many, err)
	}
}

func FuzzDifference(f *testing.F) {
	f.Add(renderedBefore, renderedAfter)
	f.Add("kind: A\nmetadata: {name: x, labels: []}\nl: [{name: 1}, {name: 1}]", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		changes, err := difference(before, after)
		if err != nil {
			return
		}
		for _, c := range changes {
			if len(c.Field) > 500 || len(c.From) > 2*maxShown || len(c.To) > 2*maxShown || strings.ContainsAny(c.Field+c.From+c.To, "\n\x1b") {
				t.Errorf("not fit to be shown: %q", c)
			}
		}
		again, err := difference(before, after)
		if diff := cmp.Diff(changes, again); diff != "" || err != nil {
			t.Errorf("not the same twice: %v\n%s", err, diff)
		}
		if same, err := difference(after, after); err != nil || len(same) > 0 {
			t.Errorf("the same is different: %v, %v", same, err)
		}
	})
}
