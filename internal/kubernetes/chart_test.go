package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"

	"helm.sh/helm/v4/pkg/chart/common"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
)

func TestLoadFromPath(t *testing.T) {
	t.Parallel()
	files := chartFiles("our-gateway", "1.2.3")
	dir := t.TempDir()
	archive := filepath.Join(t.TempDir(), "chart.tgz")
	if err := os.WriteFile(archive, packed(t, "c", files), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{dir, archive} {
		for version, want := range map[string]string{"": "", "1.2.3": "", "~1.2": "", "1.3.0": "is version 1.2.3 and not 1.3.0"} {
			// A path wins over a repository, also about the chart's name.
			s := ChartSource{Path: path, Repository: "https://charts.example.com", Name: "ai-gateway"}
			c, origin, err := s.load(t.Context(), version)
			if want != "" {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, version %q: error %v, want one with %q", path, version, err, want)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, version %q: %v", path, version, err)
				continue
			}
			if c.Name() != "our-gateway" || origin.From != path || (origin.Digest != "") != (path == archive) {
				t.Errorf("%s, version %q: %v", path, version, origin)
			}
		}
	}
	if _, _, err := (ChartSource{Path: filepath.Join(dir, "missing")}).load(t.Context(), ""); err == nil {
		t.Error("a path where nothing is: no error")
	}
	if _, _, err := (ChartSource{Path: filepath.Join(dir, "values.yaml")}).load(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "not a .tgz") {
		t.Errorf("a file that is no archive: %v", err)
	}
}

// TestStored knows what Helm keeps of a chart: everything but its subcharts.
func TestStored(t *testing.T) {
	t.Parallel()
	release := func(change func(*releasev1.Release)) *releasev1.Release {
		rel := &releasev1.Release{
			Chart: &chartv2.Chart{
				Metadata:  &chartv2.Metadata{APIVersion: "v2", Name: "ai-gateway", Version: "0.15.1"},
				Templates: []*common.File{{Name: "templates/deployment.yaml"}},
			},
			Manifest: "# Source: ai-gateway/templates/deployment.yaml\n",
		}
		change(rel)
		return rel
	}
	for name, test := range map[string]struct {
		release *releasev1.Release
		want    bool
	}{
		"whole":             {release(func(*releasev1.Release) {}), true},
		"none":              {nil, false},
		"no chart":          {&releasev1.Release{}, false},
		"no templates":      {release(func(r *releasev1.Release) { r.Chart.Templates = nil }), false},
		"declared subchart": {release(func(r *releasev1.Release) { r.Chart.Metadata.Dependencies = []*chartv2.Dependency{{Name: "x"}} }), false},
		"subchart put there": {release(func(r *releasev1.Release) {
			r.Manifest += "---\n# Source: ai-gateway/charts/grpc-tls-proxy/templates/deployment.yaml\n"
		}), false},
		"broken": {release(func(r *releasev1.Release) { r.Chart.Metadata.Version = "" }), false},
	} {
		if c, ok := stored(test.release); ok != test.want || ok && c == nil {
			t.Errorf("%s: %v, want %v", name, ok, test.want)
		}
	}
}
