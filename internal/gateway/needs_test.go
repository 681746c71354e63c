package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/version"
)

func TestFor(t *testing.T) {
	t.Parallel()
	const (
		duoSign, duoValidate = "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY", "DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY"
		sign, validate       = "AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY"
	)
	urls := []Variable{{"AIGW_GITLAB_URL", "{gitlab}"}, {"AIGW_GITLAB_API_URL", "{gitlab}/api/v4/"}}
	withAuth := append(urls[:2:2], Variable{"DUO_WORKFLOW_AUTH__ENABLED", "true"})
	first := Needs{HTTPPort: 5052, Memory: 512 << 20, Variables: urls}
	oneKey := first
	oneKey.Keys = []string{duoSign}
	grpc := oneKey
	grpc.GRPCPort, grpc.ModelsEndpoint = 50052, true
	fourKeys := grpc
	fourKeys.Variables, fourKeys.Keys = withAuth, []string{duoSign, duoValidate, sign, validate}

	for _, tt := range []struct {
		line version.Line
		want Needs
	}{
		{version.Line{}, first},
		{version.Line{Major: 17, Minor: 3}, first},
		{version.Line{Major: 17, Minor: 4}, first},
		{version.Line{Major: 17, Minor: 11}, first},
		{version.Line{Major: 18, Minor: 1}, first},
		{version.Line{Major: 18, Minor: 2}, oneKey},
		{version.Line{Major: 18, Minor: 3}, oneKey},
		{version.Line{Major: 18, Minor: 4}, grpc},
		{version.Line{Major: 18, Minor: 8}, grpc},
		{version.Line{Major: 18, Minor: 9}, fourKeys},
		{version.Line{Major: 18, Minor: 10}, fourKeys},
		{version.Line{Major: 19, Minor: 0}, fourKeys},
		{version.Line{Major: 23, Minor: 1}, fourKeys},
	} {
		if diff := cmp.Diff(tt.want, For(tt.line)); diff != "" {
			t.Errorf("For(%v): %s", tt.line, diff)
		}
	}
}

func TestVariableValue(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://gitlab.example.com/git", "https://gitlab.example.com/git/"} {
		got := map[string]string{}
		for _, v := range For(version.Line{Major: 19}).Variables {
			got[v.Name] = v.Value(url)
		}
		want := map[string]string{
			"AIGW_GITLAB_URL":            "https://gitlab.example.com/git",
			"AIGW_GITLAB_API_URL":        "https://gitlab.example.com/git/api/v4/",
			"DUO_WORKFLOW_AUTH__ENABLED": "true",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEveryFactHasASource(t *testing.T) {
	t.Parallel()
	for _, s := range []struct{ name, source string }{
		{"models_endpoint", facts.ModelsEndpoint.Source}, {"memory", facts.Memory.Source},
	} {
		if s.source == "" {
			t.Errorf("%s has no source", s.name)
		}
	}
	for _, p := range facts.Ports {
		if p.Source == "" || p.Port == 0 {
			t.Errorf("port %s is not complete", p.Name)
		}
	}
	for _, v := range facts.Variables {
		if v.Source == "" || !Public(v.Name) {
			t.Errorf("%s has no source, or is not public", v.Name)
		}
	}
	for _, k := range facts.Keys {
		if k.Source == "" || Public(k.Name) {
			t.Errorf("%s has no source, or is public", k.Name)
		}
	}
	for _, e := range logErrors {
		if e.Text == "" || e.Meaning == "" || e.Remedy == "" || e.Source == "" {
			t.Errorf("log error %q is not complete", e.Text)
		}
		if e.Severity != SeverityFail && e.Severity != SeverityWarn {
			t.Errorf("log error %q has severity %q", e.Text, e.Severity)
		}
	}
	if ModelsPath() != "/v1/models/definitions" {
		t.Errorf("ModelsPath() = %q", ModelsPath())
	}
}

func TestDecodeRefusesBadData(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		`{"memory":{"since":"18"}}`, `{"memory":{"since":"18.x"}}`, `{"memory":{"since":"a.1"}}`, `{"memories":{}}`, `{`,
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(r.(string), "needs.json") {
					t.Errorf("%s: recovered %v", bad, r)
				}
			}()
			decode[needsFile]("needs.json", []byte(bad))
		}()
	}
}
