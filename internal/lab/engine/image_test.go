package engine_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"aigw-ci/internal/lab/engine"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const password = "s3cret-of-the-registry"

// newRegistry serves images, and asks for a password for those below /private/.
// In place of the blobs whose digest is in swapped it sends what is there.
func newRegistry(t *testing.T, swapped map[string][]byte) string {
	t.Helper()
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, given, _ := r.BasicAuth()
		switch _, digest, _ := strings.Cut(r.URL.Path, "/blobs/"); {
		case r.URL.Path == "/v2/" && given == "", strings.HasPrefix(r.URL.Path, "/v2/private/") && given != password:
			w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
			if r.URL.Path == "/v2/" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		case r.Method == http.MethodGet && swapped[digest] != nil:
			w.Write(swapped[digest])
		default:
			images.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// layer is an image layer of files.
func layer(t *testing.T, files ...file) v1.Layer {
	t.Helper()
	b, err := io.ReadAll(archive(t, files...))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		tarball.WithCompressionLevel(gzip.NoCompression))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// image is an image for this machine that runs program.
func image(t *testing.T, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", runtime.GOARCH
	c.Config = v1.Config{Entrypoint: []string{"/bin/program"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}}, Labels: map[string]string{"line": "18.2"}}
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

func index(img v1.Image, arch string) v1.ImageIndex {
	return mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
	})
}

// push stores an image or an index under a reference, and returns its digest.
func push(t *testing.T, to string, what remote.Taggable) string {
	t.Helper()
	ref, err := name.ParseReference(to)
	if err != nil {
		t.Fatal(err)
	}
	auth := remote.WithAuth(&authn.Basic{Username: "lab", Password: password})
	switch w := what.(type) {
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, w, auth)
	case v1.Image:
		err = remote.Write(ref, w, auth)
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := remote.Head(ref, auth)
	if err != nil {
		t.Fatal(err)
	}
	return d.Digest.String()
}

// pull pulls, and returns the lines of progress without the bars.
func (l *lab) pull(ref string, o client.ImagePullOptions) ([]jsonstream.Message, error) {
	l.t.Helper()
	resp, err := l.ImagePull(l.ctx(), ref, o)
	if err != nil {
		return nil, err
	}
	defer resp.Close()
	var out []jsonstream.Message
	for m, err := range resp.JSONMessages(l.ctx()) {
		if err != nil {
			return out, err
		}
		if m.Error != nil {
			return out, m.Error
		}
		out = append(out, m)
	}
	return out, nil
}

func TestPull(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	l := newLab(t, engine.Options{})
	whiteout := regular("etc/.wh.old", "")
	img := image(t,
		layer(t, executable(), regular("etc/old", "1"), regular("etc/kept", "1"), regular("opt/a", "1")),
		layer(t, whiteout, regular("etc/new", "2"), regular("opt/.wh..wh..opq", ""), regular("opt/b", "2")))
	digest := push(t, reg+"/group/gateway:1", index(img, runtime.GOARCH))
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	byDigest := reg + "/group/gateway@" + digest
	lines, err := l.pull(byDigest, client.ImagePullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var statuses []string
	for _, m := range lines {
		if len(statuses) == 0 || statuses[len(statuses)-1] != m.Status {
			statuses = append(statuses, m.Status)
		}
	}
	one := []string{"Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"}
	want := append([]string{"Pulling from group/gateway", "Pulling fs layer"}, append(one, one...)...)
	want = append(want, "Digest: "+digest, "Status: Downloaded newer image for "+byDigest)
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	got, err := l.ImageInspect(l.ctx(), byDigest)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != config.String() || len(got.RepoTags) != 0 || cmp.Diff(got.RepoDigests, []string{byDigest}) != "" || got.Os != "linux" || got.Config.Labels["line"] != "18.2" {
		t.Errorf("pulled: %+v", got.InspectResponse)
	}
	if lines, err = l.pull(byDigest, client.ImagePullOptions{}); err != nil || len(lines) != 3 || lines[2].Status != "Status: Image is up to date for "+byDigest {
		t.Errorf("pulled again: %+v, error %v", lines, err)
	}
	if lines, err = l.pull(reg+"/group/gateway:1", client.ImagePullOptions{}); err != nil || lines[len(lines)-1].Status != "Status: Downloaded newer image for "+reg+"/group/gateway:1" {
		t.Errorf("pulled by tag: %+v, error %v", lines, err)
	}
	// The same image under all its names.
	for _, ref := range []string{reg + "/group/gateway:1", reg + "/group/gateway:1@" + digest, config.String(), config.Hex, config.Hex[:12]} {
		if got, err := l.ImageInspect(l.ctx(), ref); err != nil || got.ID != config.String() {
			t.Errorf("%s is %q, error %v", ref, got.ID, err)
		}
	}
	if _, err := l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{Name: "one", Image: byDigest}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"etc/": "", "etc/kept": "1", "etc/new": "2"}, l.contents("one", "/etc")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"opt/": "", "opt/b": "2"}, l.contents("one", "/opt")); diff != "" {
		t.Errorf("files of an opaque directory (-want +got):\n%s", diff)
	}
	l.start("one")
	l.get(l.url("one") + "/env")
}

func TestPullErrors(t *testing.T) {
	t.Parallel()
	swapped := map[string][]byte{}
	reg := newRegistry(t, swapped)
	l := newLab(t, engine.Options{})
	good, evil := layer(t, regular("x", "good")), layer(t, regular("x", "evil"))
	digest, err := good.Digest()
	if err != nil {
		t.Fatal(err)
	}
	lying := image(t, layer(t, regular("x", "lying")))
	config, err := lying.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs[0] = digest
	if lying, err = mutate.ConfigFile(lying, config); err != nil {
		t.Fatal(err)
	}
	push(t, reg+"/group/gateway:1", image(t, layer(t, regular("x", ""))))
	push(t, reg+"/group/swapped:1", image(t, good))
	push(t, reg+"/group/lying:1", lying)
	push(t, reg+"/group/other:1", index(image(t, layer(t, regular("x", ""))), "s390x"))
	push(t, reg+"/group/escape:1", image(t, layer(t, regular("../x", ""))))
	push(t, reg+"/private/gateway:1", image(t, layer(t, regular("x", ""))))
	blob, err := evil.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	if swapped[digest.String()], err = io.ReadAll(blob); err != nil {
		t.Fatal(err)
	}
	none := "sha256:" + strings.Repeat("0", 64)
	for _, tt := range []struct{ ref, want string }{
		{reg + "/group/gateway:2", "manifest for " + reg + "/group/gateway:2 not found: manifest unknown"},
		{reg + "/group/gateway@" + none, "manifest for " + reg + "/group/gateway@" + none + " not found"},
		{reg + "/group/nope:1", "repository " + reg + "/group/nope not found: name unknown"},
		{reg + "/group/other:1", "no matching manifest for linux/" + runtime.GOARCH + " in the manifest list entries"},
		{reg + "/group/swapped:1", "error verifying sha256 checksum"},
		{reg + "/group/lying:1", " instead of " + digest.String()},
		{reg + "/group/escape:1", "would leave the directory"},
		{reg + "/private/gateway:1", "unauthorized: "},
		{"127.0.0.1:1/group/gateway:1", "connection refused"},
		{"registry.example.com/group/gateway:1", "pulls from loopback registries only"},
	} {
		if _, err := l.pull(tt.ref, client.ImagePullOptions{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.ref, err, tt.want)
		}
	}
	_, err = l.pull(reg+"/group/other:1", client.ImagePullOptions{Platforms: []ocispec.Platform{{OS: "linux", Architecture: "s390x"}}})
	if err != nil {
		t.Errorf("for a platform by name: %v", err)
	}
	_, err = l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{Image: reg + "/group/gateway:1", Platform: &ocispec.Platform{OS: "linux", Architecture: "s390x"}})
	wantError(t, err, "No such image")
	list, err := l.ImageList(l.ctx(), client.ImageListOptions{})
	if err != nil || len(list.Items) != 2 {
		t.Errorf("after all that: %d images, error %v", len(list.Items), err)
	}
}

func TestPullWithCredentials(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	l := newLab(t, engine.Options{})
	push(t, reg+"/private/gateway:1", image(t, layer(t, regular("x", ""))))
	auth := fmt.Sprintf(`{"username":"lab","password":%q}`, password)
	for _, enc := range []*base64.Encoding{base64.URLEncoding, base64.StdEncoding, base64.RawURLEncoding} {
		if _, err := l.pull(reg+"/private/gateway:1", client.ImagePullOptions{RegistryAuth: enc.EncodeToString([]byte(auth))}); err != nil {
			t.Error(err)
		}
	}
	_, err := l.pull(reg+"/private/gateway:1", client.ImagePullOptions{RegistryAuth: base64.URLEncoding.EncodeToString([]byte(`{"username":"lab","password":"wrong"}`))})
	wantError(t, err, "unauthorized: ")
	_, err = l.pull(reg+"/private/gateway:1", client.ImagePullOptions{RegistryAuth: "!"})
	wantError(t, err, "not base64")
}

func TestImageNames(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	_, err := l.ImageInspect(l.ctx(), "nope:x")
	wantError(t, err, "no such image: nope:x: No such image: nope:x")
	_, err = l.ImageInspect(l.ctx(), "a018040a0bf5")
	wantError(t, err, "no such image: a018040a0bf5: No such image: a018040a0bf5:latest")
	if _, err := l.ImageTag(l.ctx(), client.ImageTagOptions{Source: "lab/server:1", Target: "docker.io/library/short"}); err != nil {
		t.Fatal(err)
	}
	got, err := l.ImageInspect(l.ctx(), "short")
	if err != nil || cmp.Diff(got.RepoTags, []string{"lab/server:1", "short:latest"}) != "" {
		t.Errorf("tags %v, error %v", got.RepoTags, err)
	}
	_, err = l.ImageTag(l.ctx(), client.ImageTagOptions{Source: "nope:1", Target: "other:1"})
	wantError(t, err, "No such image: nope:1")

	l.create("one", noHost)
	if _, err := l.ImageRemove(l.ctx(), "short", client.ImageRemoveOptions{}); err != nil {
		t.Errorf("taking one of two names: %v", err)
	}
	_, err = l.ImageRemove(l.ctx(), "lab/server:1", client.ImageRemoveOptions{})
	wantError(t, err, `conflict: unable to remove repository reference "lab/server:1" (must force) - container `+l.inspect("one").ID[:12]+` is using its referenced image `+got.ID[7:19])
	_, err = l.ImageRemove(l.ctx(), got.ID, client.ImageRemoveOptions{})
	wantError(t, err, "(must be forced) - image is being used by stopped container")
	l.start("one")
	_, err = l.ImageRemove(l.ctx(), got.ID, client.ImageRemoveOptions{Force: true})
	wantError(t, err, "(cannot be forced) - image is being used by running container")
	gone, err := l.ImageRemove(l.ctx(), "lab/server:1", client.ImageRemoveOptions{Force: true})
	if err != nil || len(gone.Items) != 1 || gone.Items[0].Untagged != "lab/server:1" {
		t.Errorf("by force: %+v, error %v", gone.Items, err)
	}
	list, err := l.ContainerList(l.ctx(), client.ContainerListOptions{})
	if err != nil || list.Items[0].Image != got.ID || l.inspect("one").Config.Image != "lab/server:1" {
		t.Errorf("a container whose image lost its name: %+v, error %v", list.Items, err)
	}
	if _, err := l.ContainerRemove(l.ctx(), "one", client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	gone, err = l.ImageRemove(l.ctx(), got.ID[7:19], client.ImageRemoveOptions{})
	if err != nil || gone.Items[0].Deleted != got.ID {
		t.Errorf("deleted: %+v, error %v", gone.Items, err)
	}
}

func TestTheLastTagTakesItsDigests(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	l := newLab(t, engine.Options{})
	img := image(t, layer(t, regular("x", "")))
	digest := push(t, reg+"/group/gateway:1", img)
	for _, ref := range []string{":1", "@" + digest} {
		if _, err := l.pull(reg+"/group/gateway"+ref, client.ImagePullOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.ImageTag(l.ctx(), client.ImageTagOptions{Source: reg + "/group/gateway:1", Target: "kept:1"}); err != nil {
		t.Fatal(err)
	}
	gone, err := l.ImageRemove(l.ctx(), reg+"/group/gateway:1", client.ImageRemoveOptions{})
	if err != nil || len(gone.Items) != 2 || gone.Items[1].Untagged != reg+"/group/gateway@"+digest {
		t.Errorf("untagged: %+v, error %v", gone.Items, err)
	}
	got, err := l.ImageInspect(l.ctx(), "kept:1")
	if err != nil || len(got.RepoDigests) != 0 {
		t.Errorf("left: %+v, error %v", got.InspectResponse, err)
	}
}

func TestImportErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	for _, tt := range []struct {
		ref     string
		changes []string
		content io.Reader
		want    string
	}{
		{"BAD:1", nil, archive(t), "must be lowercase"},
		{"good:1", []string{"BOGUS x"}, archive(t), "bogus is not a valid change command"},
		{"good:1", []string{"EXPOSE many"}, archive(t), "invalid containerPort: many"},
		{"good:1", nil, strings.NewReader("garbage"), "Error processing tar file"},
		{"good:1", nil, archive(t, file{Header: tar.Header{Name: "../up"}}), "would leave the directory"},
	} {
		src := client.ImageImportSource{Source: tt.content, SourceName: "-"}
		_, err := l.ImageImport(context.WithoutCancel(l.ctx()), src, tt.ref, client.ImageImportOptions{Changes: tt.changes})
		t.Run(tt.want, func(t *testing.T) { wantError(t, err, tt.want) })
	}
}
