package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aigw-ci/internal/version"
)

func TestFor(t *testing.T) {
	t.Parallel()
	const (
		duoSign, duoValidate = "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY", "DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY"
		sign, validate       = "AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY"
	)
	urls := []Variable{{Name: "AIGW_GITLAB_URL", Template: "{gitlab}"}, {Name: "AIGW_GITLAB_API_URL", Template: "{gitlab}/api/v4/"}}
	withAuth := append(urls[:2:2], Variable{Name: "DUO_WORKFLOW_AUTH__ENABLED", Template: "true"})
	first := Needs{HTTPPort: 5052, Memory: 512 << 20, User: "root", Command: "./run.sh", Variables: urls}
	noRoot := first
	noRoot.User = "aigateway"
	oneKey := noRoot
	oneKey.Keys = []string{duoSign}
	moved := oneKey
	moved.Command = "./scripts/run.sh"
	grpc := moved
	grpc.GRPCPort, grpc.ModelsEndpoint, grpc.CPUs = 50052, true, 2
	fourKeys := grpc
	fourKeys.Variables, fourKeys.Keys = withAuth, []string{duoSign, duoValidate, sign, validate}

	for _, tt := range []struct {
		line version.Line
		want Needs
	}{
		{version.Line{}, first},
		{version.Line{Major: 17, Minor: 3}, first},
		{version.Line{Major: 17, Minor: 4}, first},
		{version.Line{Major: 17, Minor: 5}, first},
		{version.Line{Major: 17, Minor: 6}, noRoot},
		{version.Line{Major: 18, Minor: 1}, noRoot},
		{version.Line{Major: 18, Minor: 2}, oneKey},
		{version.Line{Major: 18, Minor: 3}, moved},
		{version.Line{Major: 18, Minor: 4}, grpc},
		{version.Line{Major: 18, Minor: 8}, grpc},
		{version.Line{Major: 18, Minor: 9}, fourKeys},
		{version.Line{Major: 18, Minor: 10}, fourKeys},
		{version.Line{Major: 19, Minor: 0}, fourKeys},
		{version.Line{Major: 23, Minor: 1}, fourKeys},
	} {
		if diff := cmp.Diff(tt.want, For(tt.line), cmpopts.IgnoreFields(Variable{}, "Without")); diff != "" {
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
	for _, s := range []span{facts.ModelsEndpoint.span, facts.Memory.span, facts.CPUs.span} {
		if s.Source == "" || s.Since == (line{}) {
			t.Errorf("%+v is not complete", s)
		}
	}
	for _, u := range facts.Users {
		if u.Source == "" || u.Name == "" {
			t.Errorf("user %s is not complete", u.Name)
		}
	}
	for _, c := range facts.Commands {
		if c.Source == "" || c.Path == "" {
			t.Errorf("command %s is not complete", c.Path)
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
				if r := recover(); r == nil || !strings.Contains(r.(string), "requirements.json") {
					t.Errorf("%s: recovered %v", bad, r)
				}
			}()
			decode[requirements]("requirements.json", []byte(bad))
		}()
	}
}
