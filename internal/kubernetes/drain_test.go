package kubernetes

import (
	"bytes"
	"strings"
	"testing"
)

const drainable = `---
# Source: ai-gateway/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  name: ai-gateway
---
# Source: ai-gateway/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ai-gateway
spec:
  template:
    spec:
      containers:
        - name: proxy
          image: registry.example.com/nginx:1
        - name: ai-gateway
          image: docker.io/gitlab/model-gateway:self-hosted-v18.4.1-ee
HOOK
`

func TestDrain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own  string
		d    drain
		want string
	}{
		"the cluster waits": {"", drain{sleeps: true}, "lifecycle:\n            preStop:\n              sleep:\n                seconds: 5"},
		"an old cluster":    {"", drain{}, "exec:\n                command:\n                - sleep\n                - \"5\""},
		"a hook of its own": {"          lifecycle:\n            preStop:\n              exec: {command: [drain-first]}", drain{sleeps: true}, "- drain-first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := test.d.Run(bytes.NewBufferString(strings.Replace(drainable, "HOOK", test.own, 1)))
			if err != nil {
				t.Fatal(err)
			}
			got := out.String()
			if flat := strings.Join(strings.Fields(got), " "); !strings.Contains(flat, strings.Join(strings.Fields(test.want), " ")) {
				t.Errorf("no %q in\n%s", test.want, got)
			}
			if strings.Count(got, "preStop") != 1 {
				t.Errorf("%d hooks in\n%s", strings.Count(got, "preStop"), got)
			}
			if !strings.Contains(got, "kind: Service\nmetadata:\n  name: ai-gateway\n") {
				t.Errorf("another document was changed:\n%s", got)
			}
		})
	}
	t.Run("the first begins without a line", func(t *testing.T) { // as Helm merges them
		t.Parallel()
		out, err := (drain{}).Run(bytes.NewBufferString(strings.Replace(strings.TrimPrefix(drainable, "---\n"), "HOOK", "", 1)))
		if err != nil || !strings.Contains(out.String(), "---\n# Source: ai-gateway/templates/service.yaml\n") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
	t.Run("no gateway", func(t *testing.T) {
		t.Parallel()
		const other = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"
		if out, err := (drain{}).Run(bytes.NewBufferString(other)); err != nil || out.String() != other {
			t.Errorf("%v: %q", err, out)
		}
	})
}
