package gateway

import (
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	t.Parallel()
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	plain, err := Read(env(nil))
	if err != nil {
		t.Fatal(err)
	}
	if plain.API != "0.0.0.0:5000" || plain.Metrics != "0.0.0.0:8082" || !plain.NoGRPC || plain.Mode != Healthy || plain.since(17, 0) {
		t.Errorf("a build that is not for self-hosting: %+v", plain)
	}
	s, err := Read(env(map[string]string{
		LineVariable: "18.10", ModeVariable: "dies-after", AfterVariable: "8s", HostVariable: "127.0.0.2",
		"AIGW_FASTAPI__API_HOST": "::", "AIGW_FASTAPI__API_PORT": "5052", "AIGW_FASTAPI__METRICS_PORT": "8083", "PORT": "50053",
		"ENABLE_DUO_WORKFLOW_SERVICE": "true", "AIGW_GITLAB_URL": "https://gitlab.example.com/",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if s.API != "127.0.0.2:5052" || s.Metrics != "127.0.0.2:8083" || s.GRPC != "127.0.0.2:50053" || s.NoGRPC ||
		s.After != 8*time.Second || s.GitLabURL != "https://gitlab.example.com" || !s.since(18, 9) || !s.since(18, 10) || s.since(18, 11) || s.since(19, 0) {
		t.Errorf("%+v", s)
	}
	if _, err := Read(env(map[string]string{LineVariable: "new", ModeVariable: "odd", AfterVariable: "soon"})); err == nil {
		t.Error("no error")
	}
}

func TestParseMode(t *testing.T) {
	t.Parallel()
	for _, m := range Modes() {
		if got, err := ParseMode(string(m)); got != m || err != nil {
			t.Errorf("%s: %v, %v", m, got, err)
		}
	}
	if _, err := ParseMode("odd"); err == nil {
		t.Error("no error")
	}
}
