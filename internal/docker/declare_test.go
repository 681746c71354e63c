package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"aigw-ci/internal/secret"
)

func TestDeclare(t *testing.T) {
	t.Parallel()
	in := inspected(t, func(c *container.InspectResponse) { c.Config.Env = []string{"A=1", "B=2"} })
	r := copyOf(t, in, ImageConfig{})
	d := Declared{Environment: map[string]secret.Value{"B": "3", "C": "4", "SSL_CERT_FILE": "/mine.pem"}, CABundle: []byte("pem")}
	if found := r.Declare(d); len(found.Refusals) != 0 || len(found.Notes) != 1 {
		t.Errorf("found %+v, want a note on the public authorities", found)
	}
	want := []string{"A=1", "B=3", "SSL_CERT_FILE=/mine.pem", "REQUESTS_CA_BUNDLE=" + bundlePath, "C=4"}
	if diff := cmp.Diff(want, r.Config.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A", "B", "C", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}, r.Origin.Environment); diff != "" {
		t.Errorf("origin (-want +got):\n%s", diff)
	}
	if found := r.Declare(d); len(found.Notes) != 0 || len(r.Files) != 1 {
		t.Errorf("the same again: %+v, %d files", found, len(r.Files))
	}
}

func TestDeclareDoesNotWriteIntoMounts(t *testing.T) {
	t.Parallel()
	for name, host := range map[string]container.HostConfig{
		"bind":  {Binds: []string{"/srv/etc:/etc:rw"}},
		"mount": {Mounts: []mount.Mount{{Type: mount.TypeBind, Source: "/srv", Target: "/etc/aigw-ci/"}}},
		"tmpfs": {Tmpfs: map[string]string{"/etc": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Recipe{Config: &container.Config{}, HostConfig: &host}
			if found := r.Declare(Declared{CABundle: []byte("pem")}); len(found.Refusals) != 1 {
				t.Errorf("refusals %q", found.Refusals)
			}
		})
	}
}

// archives is an engine with one file in every container.
type archives struct{ header tar.Header }

func (a archives) CopyFromContainer(context.Context, string, client.CopyFromContainerOptions) (client.CopyFromContainerResult, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&a.header)
	_, _ = io.CopyN(w, neverEnding{}, min(a.header.Size, 100))
	return client.CopyFromContainerResult{Content: io.NopCloser(&b)}, nil
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return copy(p, "x"), nil }

func TestCarryOver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header tar.Header
		want   string
	}{
		"a file":    {tar.Header{Name: "ca-bundle.pem", Size: 10, Mode: 0o644}, ""},
		"too large": {tar.Header{Name: "ca-bundle.pem", Size: maxBundle + 1, Mode: 0o644}, "at most 4 MiB"},
		"cut off":   {tar.Header{Name: "ca-bundle.pem", Size: 200, Mode: 0o644}, "unexpected EOF"},
		"a link":    {tar.Header{Name: "ca-bundle.pem", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}, "declare gateway.ca_bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Recipe{Origin: Origin{CABundle: "earlier"}}
			err := r.CarryOver(t.Context(), archives{test.header}, "x")
			if test.want == "" && (err != nil || len(r.Files) != 1 || len(r.Files[0].Data) != 10) {
				t.Errorf("carried %v, %v", r.Files, err)
			}
			if test.want != "" && !strings.Contains(fmt.Sprint(err), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
