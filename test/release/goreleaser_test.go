package release

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"aigw-ci/internal/jobimage"
)

// The binaries of a release and the one in the job image are the same bytes, because
// the flags are the same. What "make build" makes knows its version in the same way.
func TestSameFlagsEverywhere(t *testing.T) {
	t.Parallel()
	var config struct {
		Builds []struct {
			Main                              string
			Env, Flags, Ldflags, Goos, Goarch []string
			Goamd64, Goarm64                  []string
		}
		Release, Changelog struct{ Disable bool }
		Dist               string
	}
	if err := yaml.Unmarshal([]byte(read(t, ".goreleaser.yaml")), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Builds) != 1 {
		t.Fatalf("%d builds", len(config.Builds))
	}
	b := config.Builds[0]
	for what, pair := range map[string][2][]string{
		"ldflags":   {{jobimage.LinkerFlags("{{ .Version }}")}, b.Ldflags},
		"flags":     {{"-mod=readonly", "-trimpath", "-buildvcs=false"}, b.Flags},
		"env":       {{"CGO_ENABLED=0", "GOWORK=off", "GOFIPS140=off"}, b.Env},
		"systems":   {{"linux", "darwin"}, b.Goos},
		"platforms": {{"amd64", "arm64"}, b.Goarch},
		"levels":    {{"v1", "v8.0"}, append(b.Goamd64, b.Goarm64...)},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
	if !config.Release.Disable {
		t.Error("goreleaser makes the release: the catalog wants the pipeline to do that")
	}
	if !strings.HasPrefix(config.Dist, "build/") {
		t.Errorf("goreleaser writes into %q, which git does not ignore", config.Dist)
	}
	dry := exec.Command("make", "--dry-run", "--always-make", "bin/aigw-ci")
	dry.Dir = root
	said, err := dry.CombinedOutput()
	if err != nil {
		t.Fatalf("make: %v\n%s", err, said)
	}
	if want := "-trimpath -ldflags '" + jobimage.LinkerFlags(strings.TrimSpace(read(t, "VERSION"))) + "'"; !strings.Contains(string(said), want) {
		t.Errorf("make build lacks %q:\n%s", want, said)
	}
}
