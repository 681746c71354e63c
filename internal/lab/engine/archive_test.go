package engine_test

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/lab/engine"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

func (l *lab) put(name, to string, content io.Reader) error {
	l.t.Helper()
	_, err := l.CopyToContainer(l.ctx(), name, client.CopyToContainerOptions{DestinationPath: to, Content: content})
	return err
}

// contents are the names and texts of an archive's entries.
func (l *lab) contents(name, path string) map[string]string {
	l.t.Helper()
	out, err := l.CopyFromContainer(l.ctx(), name, client.CopyFromContainerOptions{SourcePath: path})
	if err != nil {
		l.t.Fatal(err)
	}
	defer out.Content.Close()
	got := map[string]string{}
	for r := tar.NewReader(out.Content); ; {
		h, err := r.Next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			l.t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			l.t.Fatal(err)
		}
		got[h.Name] = string(b)
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", container.HostConfig{Binds: []string{"/etc:/host:ro"}})
	// A container that was never started takes files, also into its volumes.
	if err := l.put("one", "/", archive(t, regular("certs/ca.pem", "CA"), regular("data/kept", "in the volume"))); err != nil {
		t.Fatal(err)
	}
	if err := l.put("one", "/data", archive(t, regular("more", "2"))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"certs/": "", "certs/ca.pem": "CA"}, l.contents("one", "/certs")); diff != "" {
		t.Errorf("a directory (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"more": "2"}, l.contents("one", "/data/more")); diff != "" {
		t.Errorf("a volume's file (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"./": "", "./ca.pem": "CA"}, l.contents("one", "/certs/.")); diff != "" {
		t.Errorf("a directory's content (-want +got):\n%s", diff)
	}
	stat, err := l.ContainerStatPath(l.ctx(), "one", client.ContainerStatPathOptions{Path: "/certs/ca.pem"})
	if err != nil || stat.Stat.Name != "ca.pem" || stat.Stat.Size != 2 || stat.Stat.Mode.Perm() != 0o644 {
		t.Errorf("stat: %+v, error %v", stat, err)
	}
	wantError(t, l.put("one", "/nosuch", archive(t)), "Could not find the file /nosuch in container one")
	wantError(t, l.put("one", "/certs/ca.pem", archive(t)), "extraction point is not a directory")
	wantError(t, l.put("one", "/host", archive(t, regular("x", ""))), "marked read-only")
	wantError(t, l.put("one", "/", archive(t, regular("certs", ""))), `cannot overwrite directory "/certs" with non-directory`)
	wantError(t, l.put("one", "/", strings.NewReader("not a tar archive")), "Error processing tar file")
	_, err = l.CopyFromContainer(l.ctx(), "one", client.CopyFromContainerOptions{SourcePath: "/nosuch"})
	wantError(t, err, "Could not find the file /nosuch in container one")

	l.start("one")
	if got := l.get(l.url("one") + "/file?path=/certs/ca.pem"); got != "CA" {
		t.Errorf("the program reads %q", got)
	}
	if got := l.get(l.url("one") + "/file?path=/data/more"); got != "2" {
		t.Errorf("the program reads %q from its volume", got)
	}
	// Another container of the image does not see the files.
	l.create("two", noHost)
	_, err = l.CopyFromContainer(l.ctx(), "two", client.CopyFromContainerOptions{SourcePath: "/certs"})
	wantError(t, err, "Could not find the file /certs")
}

func TestNothingLeavesTheContainersFiles(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	link := func(name, to string) file {
		return file{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}}
	}
	hard := func(name, to string) file {
		return file{Header: tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: to}}
	}
	up := strings.Repeat("../", 20)
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		files []file
		want  string // in the error; empty when the archive is fine and stays inside
	}{
		{"name goes up", []file{regular("../x", "")}, "would leave the directory"},
		{"name goes up further on", []file{regular("certs/../../x", "")}, "would leave the directory"},
		{"whole path", []file{regular(outside+"/x", "")}, ""},
		{"through an absolute link", []file{link("out", outside), regular("out/x", "")}, ""},
		{"through a relative link", []file{link("out", up+outside), regular("out/x", "")}, ""},
		{"over a link", []file{link("x", outside+"/secret"), regular("x", "replaced")}, ""},
		{"hard link to outside", []file{hard("x", up+outside+"/secret")}, "no such file"},
		{"links in a circle", []file{link("a1", "b1"), link("b1", "a1"), regular("a1/x", "")}, "too many levels of symbolic links"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, engine.Options{})
			l.create("one", noHost)
			err := l.put("one", "/", archive(t, tt.files...))
			switch {
			case tt.want != "":
				wantError(t, err, tt.want)
			case err != nil:
				t.Error(err)
			}
			entries, err := os.ReadDir(outside)
			if err != nil || len(entries) != 1 {
				t.Errorf("outside there is now %v, error %v", entries, err)
			}
			if b, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(b) != "secret" {
				t.Errorf("the file outside is now %q, error %v", b, err)
			}
		})
	}

	l := newLab(t, engine.Options{})
	l.create("one", noHost)
	if err := l.put("one", "/", archive(t, link("out", outside))); err != nil {
		t.Fatal(err)
	}
	_, err := l.CopyFromContainer(l.ctx(), "one", client.CopyFromContainerOptions{SourcePath: "/out/secret"})
	wantError(t, err, "Could not find the file /out/secret")
}
