package main

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/config"
)

// A registry is shown for the chart what it is shown for images. Nobody else is.
func TestAccountForTheChart(t *testing.T) {
	t.Parallel()
	const (
		auths = `DOCKER_AUTH_CONFIG={"auths":{"registry.example.com":{"auth":"ZGVwbG95OndvcmQtd29yZA=="}}}`
		token = `DOCKER_AUTH_CONFIG={"auths":{"registry.example.com":{"auth":"bWU6","identitytoken":"refresh-token"}}}`
		oci   = "oci://registry.example.com/charts"
	)
	type shown struct{ User, Password, Docker string }
	for name, tt := range map[string]struct {
		chart config.Chart
		env   string
		want  shown
	}{
		"as for images":      {config.Chart{Repository: oci}, auths, shown{User: "deploy", Password: "word-word"}},
		"its own":            {config.Chart{Repository: oci, User: "me", Password: "my-word"}, auths, shown{User: "me", Password: "my-word"}},
		"identity token":     {config.Chart{Repository: oci}, token, shown{Docker: `{"auths":{"registry.example.com":{"auth":"bWU6","identitytoken":"refresh-token"}}}`}},
		"another registry":   {config.Chart{Repository: "oci://charts.example.com"}, auths, shown{}},
		"a chart repository": {config.Chart{Repository: "https://registry.example.com/charts"}, auths, shown{}},
		"a file":             {config.Chart{Repository: oci, Path: "chart.tgz"}, auths, shown{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.chart.Name = "ai-gateway"
			s, err := command{system: system{stdout: io.Discard, stderr: io.Discard, environ: []string{tt.env}}}.open(config.Settings{
				GitLab:     config.GitLab{URL: "https://gitlab.example.com"},
				Kubernetes: config.Kubernetes{Chart: tt.chart},
				Report:     config.Report{Dir: t.TempDir()},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.dir.Close()
			a, err := assemble(s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.chart(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, shown{got.User, got.Password.Reveal(), string(got.Docker)}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
