package gateway

import "testing"

func TestShow(t *testing.T) {
	t.Parallel()
	const hidden = "[redacted]"
	for _, tt := range []struct{ name, value, want string }{
		{"AIGW_GITLAB_URL", "https://gitlab.example.com", "https://gitlab.example.com"},
		{"AIGW_GITLAB_URL", "https://ci:hunter2@gitlab.example.com/x", "https://xxxxx@gitlab.example.com/x"},
		{"AIGW_GITLAB_URL", "https://glpat-token@gitlab.example.com", "https://xxxxx@gitlab.example.com"},
		{"AIGW_GITLAB_URL", "https://gitlab.example.com/a@b", "https://gitlab.example.com/a@b"},
		{"AIGW_GITLAB_URL", "ci:hunter2@gitlab.example.com", hidden},
		{"AIGW_GITLAB_URL", "https://ci:hun%ter2@gitlab.example.com", hidden},
		{"AIGW_FASTAPI__METRICS_PORT", "8083", "8083"},
		{"ANTHROPIC_API_KEY", "sk-1", hidden},
		{"AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "-----BEGIN", hidden},
		{"AIGW_CUSTOM_MODELS__EXTRA_HEADERS", `{"x":"y"}`, hidden},
		{"HTTPS_PROXY", "http://u:p@proxy.example.com", hidden},
		{"aigw_gitlab_url", "x", hidden},
		{"MY_OWN", "", ""},
		{"", "x", hidden},
	} {
		if got := Show(tt.name, tt.value); got != tt.want {
			t.Errorf("Show(%q, %q) = %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}
