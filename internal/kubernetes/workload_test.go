package kubernetes

import (
	"slices"
	"strings"
	"testing"
)

const deploymentYAML = `apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
      - {name: proxy, image: "nginx:alpine"}
      - {name: CONTAINER, image: "IMAGE"}
`

func manifestOf(name, container, image string) string {
	return "---\n# Source: ai-gateway/templates/x.yaml\n" + strings.NewReplacer("NAME", name, "CONTAINER", container, "IMAGE", image).Replace(deploymentYAML)
}

func TestGatewayIn(t *testing.T) {
	t.Parallel()
	const service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: ai-gateway}\ndata: |\n  ---\n  kind: Deployment\n"
	usual := manifestOf("ai-gateway", "ai-gateway", "registry.gitlab.com/x/model-gateway:self-hosted-v18.5.2-ee")
	proxy := manifestOf("grpc-tls-proxy", "proxy2", "nginx:alpine")
	tests := []struct {
		name, manifest string
		repositories   []string
		want           workload
		err            string
	}{
		{name: "usual", manifest: service + proxy + usual, want: workload{deployment: "ai-gateway", container: "ai-gateway", image: "registry.gitlab.com/x/model-gateway:self-hosted-v18.5.2-ee"}},
		{name: "a mirror with a port", manifest: manifestOf("g", "main", "registry.example.com:5000/mirror/thing:1@sha256:2"), repositories: []string{"registry.example.com:5000/mirror/thing"},
			want: workload{deployment: "g", container: "main", image: "registry.example.com:5000/mirror/thing:1@sha256:2"}},
		{name: "no Deployment", manifest: service, err: "no Deployment"},
		{name: "nothing", err: "no Deployment"},
		{name: "other images", manifest: proxy, err: "nginx:alpine"},
		{name: "two", manifest: usual + manifestOf("second", "ai-gateway", "model-gateway:self-hosted-v18.5.2-ee"), err: "both run"},
		{name: "not YAML", manifest: "---\n\t:", err: "reading the rendered release"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := gatewayIn(tt.manifest, tt.repositories)
			if tt.err == "" && (err != nil || got != tt.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want an error with %q", err, tt.err)
			}
		})
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	got := slices.Collect(documents("a\n---\nb\n--- # c\nd\n----\ne\n---"))
	if want := []string{"a\n", "\nb\n", " # c\nd\n----\ne\n"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzGatewayIn(f *testing.F) {
	f.Add(manifestOf("a", "b", "model-gateway:self-hosted-v18.5.2-ee"))
	f.Add("---\nkind: Deployment\napiVersion: apps/v1\nspec: []")
	f.Fuzz(func(t *testing.T, manifest string) {
		w, err := gatewayIn(manifest, nil)
		if (err == nil) != (w.deployment != "") {
			t.Errorf("%+v, %v", w, err)
		}
	})
}
