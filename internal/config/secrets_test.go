package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const canary = "glpat-Canary42Canary"

// Whatever goes wrong, and wherever a secret was written by mistake, no message
// shows it.
func TestSecretsAreInNoMessage(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]Sources{
		"token with a blank":      {Environ: []string{"AIGW_CI_GITLAB_TOKEN=" + canary + " x"}},
		"token too long":          {Environ: []string{"AIGW_CI_GITLAB_TOKEN=" + strings.Repeat(canary, 1000)}},
		"token as a flag":         {Flags: map[string]string{"gitlab.token": canary}},
		"token in the URL":        {Environ: []string{"AIGW_CI_GITLAB_URL=https://oauth2:" + canary + "@gitlab.example.com"}},
		"token as a URL":          {Environ: []string{"AIGW_CI_GITLAB_URL=" + canary}},
		"token in a query":        {Environ: []string{"AIGW_CI_GITLAB_URL=https://gitlab.example.com?t=" + canary}},
		"token also as a number":  {Environ: []string{"AIGW_CI_GITLAB_TOKEN=" + canary, "AIGW_CI_VERIFY_SUCCESSES=" + canary}},
		"token also as a tag":     {Environ: []string{"AIGW_CI_GITLAB_TOKEN=" + canary, "AIGW_CI_IMAGE_TAG=" + canary + "/x"}},
		"token also as a setting": {Environ: []string{"AIGW_CI_GITLAB_TOKEN=" + canary}, Flags: map[string]string{canary: "x"}},
		"password without user":   {Environ: []string{"AIGW_CI_REGISTRY_PASSWORD=" + canary}},
		"variable's value":        {Environ: []string{"AIGW_CI_GATEWAY_ENVIRONMENT=A=1\n" + canary + "\nA=" + canary}},
		"variable also as a tag":  {Environ: []string{"AIGW_CI_GATEWAY_ENVIRONMENT=A=" + canary, "AIGW_CI_IMAGE_TAG=" + canary + "/x"}},
		"key":                     {Environ: []string{"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_SELF_SIGNED_JWT__SIGNING_KEY=" + canary}},
		"file: list":              {File: "list.yml"},
		"file: syntax":            {File: "syntax.yml"},
		"file: alias":             {File: "alias.yml"},
		"file: text":              {File: "text.yml"},
		"file: in the wrong type": {File: "type.yml"},
		"env file":                {Environ: []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=bad.env"}},
		"chart password alone":    {Environ: []string{"AIGW_CI_KUBERNETES_CHART_PASSWORD=" + canary}},
		"chart in a URL":          {Environ: []string{"AIGW_CI_KUBERNETES_CHART_REPOSITORY=https://u:" + canary + "@charts.example.com"}},
		"key for its path":        {Environ: []string{"AIGW_CI_KUBERNETES_TLS_KEY=-----BEGIN PRIVATE KEY----- " + canary}},
		"key that is none":        {Environ: []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_HOST=a.example.com", "AIGW_CI_KUBERNETES_TLS_CERT=text.yml", "AIGW_CI_KUBERNETES_TLS_KEY=text.yml"}},
		"values":                  {Environ: []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_VALUES=? [" + canary + "]\n: x"}},
		"file: values":            {File: "values.yml"},
		"certificate":             {Environ: []string{"AIGW_CI_CA_FILE=bad.env"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from.Open = files{
				"list.yml": "gitlab: {token: [" + canary + "]}", "syntax.yml": "gitlab: {token: '" + canary + "\n", "alias.yml": "gitlab: {token: *" + canary + "}",
				"text.yml": canary, "type.yml": "gateway:\n  environment:\n    A: [" + canary + "]\nlog:\n  level: [" + canary + "]\n",
				"values.yml": "target: kubernetes\nkubernetes:\n  values: [" + canary + "]\n",
				"bad.env":    "A=\"" + canary + "\n",
			}.open
			_, warnings, err := Load(t.Context(), from)
			if err == nil {
				t.Fatal("accepted")
			}
			wrong, _ := errors.AsType[*Error](err)
			if text := fmt.Sprintf("%v %+v %#v %q", err, wrong.Problems, wrong.Problems, warnings); strings.Contains(text, "Canary") {
				t.Errorf("the secret shows: %s", text)
			}
		})
	}
}

func TestSecretsAreInNoWarning(t *testing.T) {
	t.Parallel()
	_, warnings, _ := load(t, Sources{Environ: []string{
		"AIGW_CI_GITLAB_TOKEN=" + canary, "AIGW_CI_IMAGE_TAG=" + canary, "AIGW_CI_" + canary + "=x",
	}}, nil)
	if text := fmt.Sprint(warnings); len(warnings) != 2 || strings.Contains(text, "Canary") {
		t.Errorf("the secret shows: %s", text)
	}
}

func TestSettingsDoNotPrintSecrets(t *testing.T) {
	t.Parallel()
	settings := good(t, Sources{Environ: []string{
		"AIGW_CI_GITLAB_TOKEN=" + canary, "AIGW_CI_REGISTRY_USER=u", "AIGW_CI_REGISTRY_PASSWORD=" + canary,
		"AIGW_CI_GATEWAY_ENVIRONMENT=ANTHROPIC_API_KEY=" + canary,
	}}, nil)
	if text := fmt.Sprintf("%v %+v %#v", settings, settings, settings); strings.Contains(text, "Canary") {
		t.Errorf("the secret shows: %s", text)
	}
	if settings.GitLab.Token.Reveal() != canary || settings.Gateway.Environment["ANTHROPIC_API_KEY"].Reveal() != canary {
		t.Error("the secret was lost")
	}
}
