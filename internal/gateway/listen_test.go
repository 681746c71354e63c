package gateway

import (
	"maps"
	"testing"
)

func TestListens(t *testing.T) {
	t.Parallel()
	const repository = "registry.example.com:5000/model-gateway"
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	type env = map[string]string
	for name, test := range map[string]struct {
		image string
		env   env
		want  Ports
	}{
		"old image":        {repository + ":self-hosted-v17.9.1-ee", nil, Ports{5052, false, 0}},
		"image with gRPC":  {repository + ":self-hosted-v18.4.0-ee" + digest, nil, Ports{5052, false, 50052}},
		"as variables say": {repository + digest, env{"ENABLE_DUO_WORKFLOW_SERVICE": "true"}, Ports{5052, false, 50052}},
		"moved":            {repository + ":latest", env{"AIGW_FASTAPI__API_PORT": "8080", "ENABLE_DUO_WORKFLOW_SERVICE": "True", "PORT": "9090"}, Ports{8080, false, 9090}},
		"switched off":     {repository + ":self-hosted-v18.4.0-ee", env{"ENABLE_DUO_WORKFLOW_SERVICE": "false"}, Ports{5052, false, 0}},
		"TLS":              {repository + ":self-hosted-v19.1.0-ee", env{"AIGW_FASTAPI__TLS__ENABLED": "true"}, Ports{5052, true, 50052}},
		"out of range":     {repository + ":self-hosted-v18.4.0-ee", env{"AIGW_FASTAPI__API_PORT": "99999", "PORT": "0"}, Ports{5052, false, 50052}},
		"nonsense":         {"x", env{"AIGW_FASTAPI__API_PORT": "-1", "PORT": ""}, Ports{5052, false, 0}},
		"nothing":          {"", nil, Ports{5052, false, 0}},
	} {
		given := maps.Clone(test.env)
		if got := Listens(test.image, test.env); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
		if !maps.Equal(given, test.env) {
			t.Errorf("%s: the variables were changed", name)
		}
	}
	if http, https := (Ports{}).Scheme(), (Ports{TLS: true}).Scheme(); http != "http" || https != "https" {
		t.Errorf("schemes %q and %q", http, https)
	}
}

func TestLineOf(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"registry.example.com:5000/model-gateway:self-hosted-v18.4.2-ee@sha256:0123": "18.4",
		"model-gateway:self-hosted-v19.10.0-ee":                                      "19.10",
		"registry.example.com:5000/model-gateway":                                    "0.0",
		"model-gateway:latest":                                                       "0.0",
		"":                                                                           "0.0",
	} {
		if got := LineOf(ref).String(); got != want {
			t.Errorf("LineOf(%q) = %s, want %s", ref, got, want)
		}
	}
}
