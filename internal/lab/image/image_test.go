package image

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"aigw-ci/internal/lab/gateway"
)

func build(t *testing.T, o Options) v1.Image {
	t.Helper()
	image, err := Build(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Fatal(err)
	}
	return image
}

func config(t *testing.T, image v1.Image) v1.Config {
	t.Helper()
	c, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c.Config
}

func TestConfigurationOfEachLine(t *testing.T) {
	t.Parallel()
	ports := map[string]struct{}{"5052/tcp": {}}
	base := []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONUNBUFFERED=1"}
	home := append(slices.Clone(base), "HF_HOME=/home/aigateway/.hf")
	selfHosted := []string{"AIGW_CUSTOM_MODELS__ENABLED=true", "AIGW_FASTAPI__API_PORT=5052", "AIGW_FASTAPI__OPENAPI_URL=/openapi.json", "AIGW_FASTAPI__DOCS_URL=/docs"}
	env := func(lists ...[]string) []string { return slices.Concat(lists...) }
	for _, tt := range []struct {
		options Options
		want    v1.Config
	}{
		{Options{Tag: "self-hosted-v17.5.0-ee"}, v1.Config{
			Env: env(base, selfHosted, []string{"LAB_LINE=17.5"}), Cmd: []string{"./run.sh"}, WorkingDir: "/app", ExposedPorts: ports,
		}},
		{Options{Tag: "self-hosted-v17.9.2-ee"}, v1.Config{
			Env: env(home, selfHosted, []string{"TRANSFORMERS_NO_ADVISORY_WARNINGS=1", "LAB_LINE=17.9"}),
			Cmd: []string{"./run.sh"}, User: "aigateway", WorkingDir: "/home/aigateway/app", ExposedPorts: ports,
		}},
		{Options{Tag: "self-hosted-v18.3.1-ee", BootDelay: 2 * time.Second, Env: []string{"MORE=yes"}}, v1.Config{
			Env: env(home, selfHosted, []string{"TRANSFORMERS_NO_ADVISORY_WARNINGS=1", "HF_HUB_OFFLINE=true", "LAB_LINE=18.3", "LAB_BOOT_DELAY=2s", "MORE=yes"}),
			Cmd: []string{"./scripts/run.sh"}, User: "aigateway", WorkingDir: "/home/aigateway/app", ExposedPorts: ports,
		}},
		{Options{Tag: "self-hosted-v18.4.0-ee", Mode: gateway.DiesAfter, After: 8 * time.Second}, v1.Config{
			Env: env(home, selfHosted, []string{"TRANSFORMERS_NO_ADVISORY_WARNINGS=1", "HF_HUB_OFFLINE=true", "ENABLE_DUO_WORKFLOW_SERVICE=true", "LAB_LINE=18.4", "LAB_MODE=dies-after", "LAB_AFTER=8s"}),
			Cmd: []string{"./scripts/run.sh"}, User: "aigateway", WorkingDir: "/home/aigateway/app", ExposedPorts: ports,
		}},
		{Options{Tag: "latest"}, v1.Config{
			Env: home, Cmd: []string{"./scripts/run.sh"}, User: "aigateway", WorkingDir: "/home/aigateway/app", ExposedPorts: ports,
		}},
	} {
		t.Run(tt.options.Tag, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, config(t, build(t, tt.options))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDigestsAreStableAndDifferByTag(t *testing.T) {
	t.Parallel()
	digest := func(o Options) string {
		h, err := build(t, o).Digest()
		if err != nil {
			t.Fatal(err)
		}
		return h.String()
	}
	o := Options{Tag: "self-hosted-v18.3.0-ee", Padding: 100_000}
	if digest(o) != digest(o) {
		t.Error("the same options gave two digests")
	}
	seen := map[string]bool{digest(o): true}
	for _, change := range []func(*Options){
		func(o *Options) { o.Tag = "self-hosted-v18.3.1-ee" },
		func(o *Options) { o.Mode = gateway.CrashAtBoot },
		func(o *Options) { o.Platform = "linux/arm64" },
		func(o *Options) { o.Padding++ },
	} {
		other := o
		change(&other)
		if d := digest(other); seen[d] {
			t.Errorf("%+v gave a digest that was seen before", other)
		} else {
			seen[d] = true
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("\x7fELF"), 0o700); err != nil {
		t.Fatal(err)
	}
	image := build(t, Options{Tag: "self-hosted-v18.2.0-ee", Binary: program, Padding: 10})
	files := tar.NewReader(mutate.Extract(image))
	got := map[string]int64{}
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[header.Name] = header.Mode
	}
	want := map[string]int64{
		"etc/passwd": 0o644, "etc/group": 0o644, "tmp": 0o1777, "home/aigateway/app": 0o755,
		"home/aigateway/app/run.sh": 0o755, "home/aigateway/app/tmp/docs.db": 0o644, "home/aigateway/app/venv/padding": 0o644,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	const tag = "self-hosted-v18.4.0-ee"
	index, err := Index(build(t, Options{Tag: tag}), build(t, Options{Tag: tag, Platform: "linux/arm64/v8"}))
	if err != nil {
		t.Fatal(err)
	}
	if index, err = Attested(index); err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, child := range manifest.Manifests {
		got = append(got, child.Platform.String())
	}
	if want := []string{"linux/amd64", "linux/arm64/v8", "unknown/unknown"}; !slices.Equal(got, want) {
		t.Errorf("platforms %q", got)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Build(Options{Tag: "x", Binary: "/nowhere"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
	if _, err := Build(Options{Tag: "x", Platform: "a/b/c/d/e"}); err == nil {
		t.Error("no error for a platform of five parts")
	}
}
