//go:build kubernetes

package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/lab/chart"
	"aigw-ci/internal/lab/pki"
	"aigw-ci/internal/lab/wire"
)

// A chart comes from wherever the settings say, and the report names it. Without a
// version it is the newest.
func TestChartFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.robot()
	dir, archive := w.unpacked(chart.Options{Version: "0.15.1"})
	private := w.privateCharts()
	for _, tt := range []struct {
		name     string
		settings []string
		want     string
	}{
		{"repository", nil, "ai-gateway 0.15.1"},
		{"repository, pinned", []string{"AIGW_CI_KUBERNETES_CHART_VERSION=0.5.0"}, "ai-gateway 0.5.0"},
		{"registry", []string{"AIGW_CI_KUBERNETES_CHART_REPOSITORY=" + w.chartsOCI}, "ai-gateway 0.15.1"},
		{"registry, pinned", []string{"AIGW_CI_KUBERNETES_CHART_REPOSITORY=" + w.chartsOCI, "AIGW_CI_KUBERNETES_CHART_VERSION=0.5.0"}, "ai-gateway 0.5.0"},
		{"directory", []string{"AIGW_CI_KUBERNETES_CHART_REPOSITORY=", "AIGW_CI_KUBERNETES_CHART_PATH=" + dir}, "ai-gateway 0.15.1"},
		{"archive", []string{"AIGW_CI_KUBERNETES_CHART_REPOSITORY=", "AIGW_CI_KUBERNETES_CHART_PATH=" + archive}, "ai-gateway 0.15.1"},
		{"with an account and a private authority", private, "ai-gateway 0.15.2"},
	} {
		r := w.run("plan", 0, "planned", tt.settings...)
		if to := r.Change("chart").To; to != strings.TrimPrefix(tt.want, "ai-gateway ") && to != tt.want {
			t.Errorf("%s: the report has chart %q, want %s", tt.name, to, tt.want)
		}
		r.Says(t, tt.want)
	}
	for name, settings := range map[string][]string{
		"without the account":   append(private[:2:2], "AIGW_CI_KUBERNETES_CHART_USER=", "AIGW_CI_KUBERNETES_CHART_PASSWORD="),
		"without the authority": append(private[:0:0], private[0], private[2], private[3]),
		"no such version":       {"AIGW_CI_KUBERNETES_CHART_VERSION=0.9.9"},
		"no such path":          {"AIGW_CI_KUBERNETES_CHART_REPOSITORY=", "AIGW_CI_KUBERNETES_CHART_PATH=" + filepath.Join(dir, "nothing")},
	} {
		if r := w.start("plan", settings...).Wait(); r.Exit != 1 && r.Exit != 5 || strings.Contains(r.Log, "canary-of-charts") {
			t.Errorf("%s: exit code %d: %s", name, r.Exit, r.Error)
		}
	}
	w.run("upgrade", 0, "installed", private...)
	if list := w.helm(4, "list", "--output", "json"); !strings.Contains(list, "ai-gateway-0.15.2") {
		t.Errorf("another chart was installed: %s", list)
	}
}

// The chart of a release changes when somebody asks for another, and not before.
func TestChartIsChangedOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	w := installed(t, "AIGW_CI_KUBERNETES_CHART_VERSION=0.15.1")
	if err := w.charts.Add(chart.Options{Version: "0.16.0"}); err != nil {
		t.Fatal(err)
	}
	w.estate.SetVersion("18.4.1-ee")
	if r := w.run("upgrade", 0, "upgraded"); r.Change("chart").To != "" {
		t.Errorf("nobody asked for %+v", r.Change("chart"))
	}
	r := w.run("upgrade", 0, "upgraded", "AIGW_CI_KUBERNETES_CHART_VERSION=0.16.0")
	if c := r.Change("chart"); !strings.Contains(c.From, "0.15.1") || !strings.Contains(c.To, "0.16.0") {
		t.Errorf("the report has the chart as %+v", c)
	}
	if list := w.helm(4, "list", "--output", "json"); !strings.Contains(list, "ai-gateway-0.16.0") {
		t.Errorf("the chart was not changed: %s", list)
	}
}

// unpacked writes a chart as a directory and as an archive.
func (w *world) unpacked(o chart.Options) (dir, archive string) {
	w.Helper()
	dir = filepath.Join(w.TempDir(), chart.Name)
	files, err := chart.Files(o)
	if err != nil {
		w.Fatal(err)
	}
	for name, data := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			w.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			w.Fatal(err)
		}
	}
	data, err := chart.Archive(o)
	if err != nil {
		w.Fatal(err)
	}
	archive = dir + ".tgz"
	if err := os.WriteFile(archive, data, 0o644); err != nil {
		w.Fatal(err)
	}
	return dir, archive
}

// privateCharts serves chart 0.15.2 to those who have the account and trust the
// authority, and returns the settings for it: the repository, the authority, the
// account and its password.
func (w *world) privateCharts() []string {
	w.Helper()
	authority, err := pki.New("A company's own authority")
	if err != nil {
		w.Fatal(err)
	}
	certificate, err := authority.Issue("127.0.0.1")
	if err != nil {
		w.Fatal(err)
	}
	ca := filepath.Join(w.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority.PEM(), 0o644); err != nil {
		w.Fatal(err)
	}
	charts := chart.NewRepository(chart.RepositoryOptions{User: "deploy", Password: "canary-of-charts"})
	if err := charts.Add(chart.Options{Version: "0.15.2"}); err != nil {
		w.Fatal(err)
	}
	listeners, err := wire.Listen(w.Context(), "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	server := wire.Serve(charts, certificate, listeners...)
	w.Cleanup(func() { _ = server.Close() })
	return []string{
		"AIGW_CI_KUBERNETES_CHART_REPOSITORY=https://" + listeners[0].Addr().String() + channel, "AIGW_CI_CA_FILE=" + ca,
		"AIGW_CI_KUBERNETES_CHART_USER=deploy", "AIGW_CI_KUBERNETES_CHART_PASSWORD=canary-of-charts",
	}
}
