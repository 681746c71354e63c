package jobimage

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// named compiles nothing: a program is its own name.
func named(_ context.Context, pkg string, p Platform) ([]byte, error) {
	return fmt.Appendf(nil, "%s for %s", pkg, p), nil
}

func built(t *testing.T, version string) *Built {
	t.Helper()
	b, err := Build(t.Context(), version, named)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func digest(t *testing.T, b *Built) string {
	t.Helper()
	d, err := b.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSameSourcesSameDigest(t *testing.T) {
	t.Parallel()
	one := digest(t, built(t, "1.2.3"))
	if again := digest(t, built(t, "1.2.3")); again != one {
		t.Errorf("%s, and then %s", one, again)
	}
	if other := digest(t, built(t, "1.2.4")); other == one {
		t.Error("another version has the same digest")
	}
}

// The digest of this very image, so that a change of the packing is a decision: it
// changes the digest of every version, also of those that are published.
func TestPackingStays(t *testing.T) {
	t.Parallel()
	entries := []entry{
		{path: "b", mode: 0o755, data: []byte("program")},
		{path: "a", mode: 0o777, link: "b"},
		{path: "tmp", mode: os.ModeDir | os.ModeSticky | 0o777},
	}
	for range 2 {
		l, err := layer(entries)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.DiffID()
		if err != nil {
			t.Fatal(err)
		}
		if want := "sha256:b1a127f60582537aef52f2d9ca9c80cbf9a414f92d0015d8d420bb85b9067eca"; got.String() != want {
			t.Errorf("the layer is %s, want %s", got, want)
		}
		slices.Reverse(entries)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	b := built(t, "1.2.3")
	manifest, err := b.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range Platforms() {
		if got := manifest.Manifests[i].Platform; got.OS != p.OS || got.Architecture != p.Architecture {
			t.Errorf("entry %d is for %s, want %s", i, got, p)
		}
		config, err := b.images[i].ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		want := v1.Config{
			User:       "65532:65532",
			Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
			Cmd:        []string{"aigw-ci", "--help"},
			WorkingDir: "/home/aigw-ci",
			Labels: map[string]string{
				"org.opencontainers.image.title":    "aigw-ci",
				"org.opencontainers.image.source":   Source,
				"org.opencontainers.image.version":  "1.2.3",
				"org.opencontainers.image.licenses": "MIT",
			},
		}
		if diff := cmp.Diff(want, config.Config); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", p, diff)
		}
		if config.OS != p.OS || config.Architecture != p.Architecture || !config.Created.Equal(Epoch) {
			t.Errorf("%s: it says %s/%s, made at %s", p, config.OS, config.Architecture, config.Created)
		}
	}
}

func TestContent(t *testing.T) {
	t.Parallel()
	got := make(map[string]string)
	contents := make(map[string][]byte)
	r := tar.NewReader(mutate.Extract(built(t, "1.2.3").images[0]))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		got[name] = strings.TrimSpace(fmt.Sprintf("%s %d:%d %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.Linkname))
		if !h.ModTime.Equal(Epoch) {
			t.Errorf("%s is of %s", name, h.ModTime)
		}
		if contents[name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"bin/sh":          "-rwxr-xr-x 0:0",
		"bin/mkdir":       "Lrwxrwxrwx 0:0 sh",
		"usr/bin/aigw-ci": "-rwxr-xr-x 0:0",
		"home/aigw-ci":    "drwxr-xr-x 65532:65532",
		"root":            "drwx------ 0:0",
		"tmp":             "dtrwxrwxrwx 0:0",
		"etc/passwd":      "-rw-r--r-- 0:0",
		rootsFile:         "-rw-r--r-- 0:0",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if got := string(contents["usr/bin/aigw-ci"]); got != "./cmd/aigw-ci for linux/amd64" {
		t.Errorf("aigw-ci is %q", got)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(contents[rootsFile]) {
		t.Fatal("the authorities cannot be read")
	}
	if n := bytes.Count(contents[rootsFile], []byte("BEGIN CERTIFICATE")); n < 100 {
		t.Errorf("there are only %d authorities", n)
	}
}

func TestLayout(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "image")
	b := built(t, "1.2.3")
	for range 2 { // the second replaces the first
		if err := b.WriteLayout(dir); err != nil {
			t.Fatal(err)
		}
	}
	read, err := ReadLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := digest(t, read), digest(t, b); got != want {
		t.Errorf("%s was written, and %s read", want, got)
	}
	if err := validate.Index(read.index); err != nil {
		t.Error(err)
	}
	if _, err := ReadLayout(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make image") {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := built(t, "1.2.3")
	if err := errors.Join(b.WriteArchive(f, "aigw-ci:1.2.3", Platforms()[1]), f.Close()); err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := loaded.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := b.images[1].ConfigName(); err != nil || got != want {
		t.Errorf("the archive holds %s, want %s (%v)", got, want, err)
	}
	if err := b.WriteArchive(io.Discard, "aigw-ci:1.2.3", Platform{"plan9", "mips"}); err == nil {
		t.Error("there is an archive for plan9/mips")
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	const user, password = "ci", "s3cret-of-the-registry"
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	reference := strings.TrimPrefix(server.URL, "http://") + "/tools/aigw-ci:1.2.3"
	login := Login{Username: user, Password: password}
	b := built(t, "1.2.3")
	for _, try := range []string{"pushed", "pushed again"} {
		if err := b.Push(t.Context(), reference, login, http.DefaultTransport); err != nil {
			t.Fatalf("%s: %v", try, err)
		}
	}
	err := built(t, "1.2.4").Push(t.Context(), reference, login, http.DefaultTransport)
	if !errors.Is(err, ErrTaken) {
		t.Errorf("another image under the same tag: %v", err)
	}
	err = b.Push(t.Context(), reference, Login{Username: user, Password: "wrong-password"}, http.DefaultTransport)
	if err == nil || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("with a wrong password: %v", err)
	}
	if err := b.Push(t.Context(), "aigw-ci", login, http.DefaultTransport); err == nil {
		t.Error("a reference without registry and tag was pushed")
	}
}

func TestReadSources(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version, module string
		want            Sources
		problem         string
	}{
		"good":          {"1.2.3\n", "module x\n\ngo 1.26.0\n\ntoolchain go1.26.8\n", Sources{Version: "1.2.3", Toolchain: "go1.26.8"}, ""},
		"no version":    {"", "toolchain go1.26.8\n", Sources{}, "no semantic version"},
		"with a v":      {"v1.2.3", "toolchain go1.26.8\n", Sources{}, "no semantic version"},
		"no toolchain":  {"1.2.3", "go 1.26.0\n", Sources{}, "no line like"},
		"odd toolchain": {"1.2.3", "toolchain go1.26\n", Sources{}, "no line like"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if err := errors.Join(
				os.WriteFile(filepath.Join(root, "VERSION"), []byte(test.version), 0o600),
				os.WriteFile(filepath.Join(root, "go.mod"), []byte(test.module), 0o600)); err != nil {
				t.Fatal(err)
			}
			got, err := ReadSources(root)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("error %v, want one with %q", err, test.problem)
				}
				return
			}
			test.want.Root = root
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

// Another Go than the one that the sources name would compress to another digest.
func TestToolchain(t *testing.T) {
	t.Parallel()
	s, err := ReadSources("../..")
	if err != nil {
		t.Fatal(err)
	}
	s.Toolchain = "go1.0.1"
	if err := s.CheckToolchain(); err == nil || !strings.Contains(err.Error(), "GOTOOLCHAIN=go1.0.1") {
		t.Errorf("another Go is accepted: %v", err)
	}
}
