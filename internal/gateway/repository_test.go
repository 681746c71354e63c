package gateway

import "testing"

func TestIsGatewayRepository(t *testing.T) {
	t.Parallel()
	const gitlab = "registry.gitlab.com/gitlab-org/modelops/applied-ml/code-suggestions/ai-assist/model-gateway"
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	yes := []string{
		gitlab,
		gitlab + ":self-hosted-v18.2.8-ee",
		gitlab + ":self-hosted-v18.2.8-ee" + digest,
		gitlab + digest,
		gitlab + ":latest",
		gitlab + "/self-hosted:0a1b2c3d",
		gitlab + "/self-hosted-fips:self-hosted-v18.10.0-ee",
		gitlab + "/fips:0a1b2c3d",
		"gitlab/model-gateway:self-hosted-v17.4.0-ee",
		"docker.io/gitlab/model-gateway",
		"gitlab/model-gateway-self-hosted:0a1b2c3d",
		"gitlab/model-gateway-self-hosted-fips:self-hosted-v18.10.0-ee",
		"registry.gitlab.cn/model-gateway/model-gateway-self-hosted:self-hosted-v18.2.0-jh",
		"registry.example.com:5000/mirror/model-gateway:x",
		"registry.example.com/ai-gateway:self-hosted-v18.10.0-ee",
		"registry.example.com:5000/duo/ai-gateway" + digest,
		"localhost:5000/ai-gateway",
		"anything:self-hosted-v18.2.1-ee",
		"10.0.0.1:5000/team/renamed:self-hosted-v18.2.1-ee" + digest,
	}
	no := []string{
		"", "sha256:0123456789abcdef", "nginx", "nginx:1.27", "ai-gateway", "ai-gateway:1", "vendor/ai-gateway:3",
		"registry.example.com:5000/nginx", "registry.example.com/my-model-gateway", "registry.example.com/ai-gateway-docs",
		"registry.example.com/model-gateway/tools", "gitlab/gitlab-ee:18.2.1-ee.0", "self-hosted-v18.2.1-ee",
		"gitlab/gitlab-runner@sha256:0123",
	}
	for _, ref := range yes {
		if !IsGatewayRepository(ref) {
			t.Errorf("IsGatewayRepository(%q) = false", ref)
		}
	}
	for _, ref := range no {
		if IsGatewayRepository(ref) {
			t.Errorf("IsGatewayRepository(%q) = true", ref)
		}
	}
}

func TestIsGatewayRepositoryOfMirrors(t *testing.T) {
	t.Parallel()
	mirrors := []string{"registry.example.com:5000/duo/renamed"}
	for ref, want := range map[string]bool{
		"registry.example.com:5000/duo/renamed":                   true,
		"registry.example.com:5000/duo/renamed:1":                 true,
		"registry.example.com:5000/duo/renamed:1@sha256:0123":     true,
		"registry.example.com:5000/duo/renamed@sha256:0123":       true,
		"registry.example.com:5000/duo/renamed-docs:1":            false,
		"registry.example.com:5000/duo/renamed/tools:1":           false,
		"registry.example.com:5000/duo":                           false,
		"elsewhere.example.com/registry.example.com:5000/renamed": false,
	} {
		if got := IsGatewayRepository(ref, mirrors...); got != want {
			t.Errorf("IsGatewayRepository(%q, mirror) = %v", ref, got)
		}
	}
}
