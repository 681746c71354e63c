//go:build docker

package docker

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// realEngine is a Docker Engine, and what one test made on it. Everything has the
// test's own suffix and is removed by its own name when the test ends.
type realEngine struct {
	*client.Client
	t       *testing.T
	suffix  string
	volumes map[string]bool // removed when no container uses them any more
}

// in is the same engine for a subtest.
func (e realEngine) in(t *testing.T) realEngine {
	e.t = t
	return e
}

func newRealEngine(t *testing.T) realEngine {
	t.Helper()
	api, err := client.New(client.WithHost(cmp.Or(os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Ping(t.Context(), client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		t.Fatalf("these tests need a Docker Engine: %v", err)
	}
	t.Cleanup(func() { _ = api.Close() })
	e := realEngine{api, t, "-aigw-ci-test-" + strings.ToLower(rand.Text()[:8]), make(map[string]bool)}
	e.atEnd(func(ctx context.Context) error {
		var errs []error
		for name := range e.volumes {
			_, err := e.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	return e
}

// still is the static program of the test images.
var still = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "still")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "still")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "./testdata/still")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if said, err := build.CombinedOutput(); err != nil {
		return said, err
	}
	return os.ReadFile(out)
})

// image makes an image with the still program as /bin/still and /still, and the
// given changes in Dockerfile words. It returns the image's name.
func (e realEngine) image(version string, changes ...string) string {
	e.t.Helper()
	program, err := still()
	if err != nil {
		e.t.Fatalf("building the test program: %v\n%s", err, program)
	}
	var root bytes.Buffer
	w := tar.NewWriter(&root)
	for _, name := range []string{"still", "bin/still"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(program))}); err != nil {
			e.t.Fatal(err)
		}
		_, _ = w.Write(program)
	}
	if err := w.Close(); err != nil {
		e.t.Fatal(err)
	}
	ref := "gateway" + e.suffix + ":" + version
	answer, err := e.ImageImport(e.t.Context(), client.ImageImportSource{Source: &root, SourceName: "-"}, ref, client.ImageImportOptions{Changes: changes})
	if err != nil {
		e.t.Fatalf("importing %s: %v", ref, err)
	}
	defer answer.Close()
	if _, err := io.Copy(io.Discard, answer); err != nil {
		e.t.Fatal(err)
	}
	e.atEnd(func(ctx context.Context) error {
		_, err := e.ImageRemove(ctx, ref, client.ImageRemoveOptions{})
		return err
	})
	return ref
}

func (e realEngine) imageConfig(ref string) *ImageConfig {
	e.t.Helper()
	image, err := e.ImageInspect(e.t.Context(), ref)
	if err != nil {
		e.t.Fatal(err)
	}
	return image.Config
}

// network makes a network and returns its name and ID.
func (e realEngine) network(name, subnet string) (string, string) {
	e.t.Helper()
	name += e.suffix
	ipam := &network.IPAM{}
	if subnet != "" {
		ipam.Config = []network.IPAMConfig{{Subnet: mustPrefix(subnet)}}
	}
	made, err := e.NetworkCreate(e.t.Context(), name, client.NetworkCreateOptions{Driver: "bridge", IPAM: ipam})
	if err != nil {
		e.t.Fatal(err)
	}
	e.atEnd(func(ctx context.Context) error {
		_, err := e.NetworkRemove(ctx, made.ID, client.NetworkRemoveOptions{})
		return err
	})
	return name, made.ID
}

// run makes and starts a container as "docker run" would.
func (e realEngine) run(o client.ContainerCreateOptions) Inspected {
	e.t.Helper()
	made := e.create(o)
	e.start(made.ID)
	return e.inspect(made.ID)
}

// create makes a container as "docker create" would.
func (e realEngine) create(o client.ContainerCreateOptions) Inspected {
	e.t.Helper()
	o.Name += e.suffix
	made, err := e.ContainerCreate(e.t.Context(), o)
	if err != nil {
		e.t.Fatalf("creating %s: %v", o.Name, err)
	}
	e.removeAtEnd(made.ID)
	return e.inspect(made.ID)
}

func (e realEngine) start(id string) {
	e.t.Helper()
	if _, err := e.ContainerStart(e.t.Context(), id, client.ContainerStartOptions{}); err != nil {
		e.t.Fatalf("starting %s: %v", id, err)
	}
}

func (e realEngine) stop(id string) {
	e.t.Helper()
	now := 1
	if _, err := e.ContainerStop(e.t.Context(), id, client.ContainerStopOptions{Timeout: &now}); err != nil {
		e.t.Fatalf("stopping %s: %v", id, err)
	}
}

func (e realEngine) inspect(id string) Inspected {
	e.t.Helper()
	answer, err := e.ContainerInspect(e.t.Context(), id, client.ContainerInspectOptions{})
	if err != nil {
		e.t.Fatal(err)
	}
	in, err := ReadInspect(answer.Raw)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, m := range in.Mounts {
		if m.Name != "" {
			e.volumes[m.Name] = true
		}
	}
	return in
}

func (e realEngine) removeAtEnd(id string) {
	e.atEnd(func(ctx context.Context) error {
		_, err := e.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true})
		return err
	})
}

func (e realEngine) atEnd(do func(context.Context) error) {
	e.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := do(ctx); err != nil && !isNotFound(err) {
			e.t.Errorf("cleaning up: %v", err)
		}
	})
}

// write puts a file into a container.
func (e realEngine) write(id, file, text string) {
	e.t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	_ = w.WriteHeader(&tar.Header{Name: path.Base(file), Mode: 0o644, Size: int64(len(text))})
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	if _, err := e.CopyToContainer(e.t.Context(), id, client.CopyToContainerOptions{DestinationPath: path.Dir(file), Content: &archive}); err != nil {
		e.t.Fatalf("writing %s: %v", file, err)
	}
}

// read reads a file from a container, with its mode.
func (e realEngine) read(id, file string) (string, os.FileMode) {
	e.t.Helper()
	answer, err := e.CopyFromContainer(e.t.Context(), id, client.CopyFromContainerOptions{SourcePath: file})
	if err != nil {
		e.t.Fatalf("reading %s: %v", file, err)
	}
	defer answer.Content.Close()
	archive := tar.NewReader(answer.Content)
	if _, err := archive.Next(); err != nil {
		e.t.Fatal(err)
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text), answer.Stat.Mode
}

// copyTo copies a container to another image, with settings declared on top, and
// starts the copy in its place if it runs. It fails the test when the two are not the
// same but for what was announced.
func (e realEngine) copyTo(old Inspected, oldImage, newImage string, declared Declared) (made Inspected, announced []Difference) {
	e.t.Helper()
	recipe, found := Copy(Source{Container: old, Image: e.imageConfig(oldImage), Others: e.others(old), API: e.ClientVersion(), Reference: newImage})
	if len(found.Refusals) > 0 {
		e.t.Fatalf("refused: %q", found.Refusals)
	}
	if found := recipe.Declare(declared); len(found.Refusals) > 0 {
		e.t.Fatalf("refused: %q", found.Refusals)
	}
	announced = Differences(&old, recipe, newImage, *e.imageConfig(newImage))
	recipe.Name += "-next"
	id, warnings, err := Create(e.t.Context(), e, recipe, newImage)
	if err != nil {
		e.t.Fatal(err)
	}
	e.removeAtEnd(id)
	for _, w := range warnings {
		e.t.Logf("engine: %s", w)
	}
	if old.State.Running {
		e.stop(old.ID)
		e.start(id)
	}
	made = e.inspect(id)
	for _, d := range Compare(old, made, announced) {
		e.t.Errorf("unexpected: %s: %q -> %q", d.Field, d.from, d.to)
	}
	if made.State.Status != old.State.Status {
		e.t.Errorf("the copy is %s", made.State.Status)
	}
	return made, announced
}

func (e realEngine) others(but Inspected) []Inspected {
	e.t.Helper()
	answer, err := e.ContainerList(e.t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("name", e.suffix)})
	if err != nil {
		e.t.Fatal(err)
	}
	var others []Inspected
	for _, c := range answer.Items {
		if c.ID != but.ID {
			others = append(others, e.inspect(c.ID))
		}
	}
	return others
}
