//go:build docker

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// oneImage is a registry with one image of one layer. Source of its answers: OCI
// distribution-spec, Pulling manifests and Pulling blobs.
type oneImage struct {
	blobs    map[string][]byte // by digest, with the manifest
	manifest string
	password string // asked for when set
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func newOneImage(t *testing.T) *oneImage {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	random := make([]byte, 1<<20)
	_, _ = rand.Read(random)
	_ = w.WriteHeader(&tar.Header{Name: "random", Mode: 0o644, Size: int64(len(random))})
	_, _ = w.Write(random)
	_ = w.Close()
	r := &oneImage{blobs: make(map[string][]byte)}
	add := func(v any) (string, int) {
		data, ok := v.([]byte)
		if !ok {
			var err error
			if data, err = json.Marshal(v); err != nil {
				t.Fatal(err)
			}
		}
		r.blobs[digestOf(data)] = data
		return digestOf(data), len(data)
	}
	layerDigest, layerSize := add(layer.Bytes())
	configDigest, configSize := add(map[string]any{
		"os": "linux", "architecture": runtime.GOARCH, "config": map[string]any{"Cmd": []string{"/random"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layerDigest}},
	})
	r.manifest, _ = add(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": map[string]any{"mediaType": "application/vnd.docker.container.image.v1+json", "digest": configDigest, "size": configSize},
		"layers": []any{map[string]any{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "digest": layerDigest, "size": layerSize}},
	})
	return r
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

func (r *oneImage) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if _, password, _ := req.BasicAuth(); password != r.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		return
	}
	digest := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	data, has := r.blobs[digest]
	switch {
	case digest == "":
		return // GET /v2/
	case !has:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
		return
	case digest == r.manifest:
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", digest)
	}
	_, _ = w.Write(data)
}

func TestRealPull(t *testing.T) {
	t.Parallel()
	registry := newOneImage(t)
	registry.password = "hunter22"
	server := httptest.NewServer(registry)
	defer server.Close()
	var log recorder
	e := connect(t, ConnectOptions{Log: log.log()})
	image := upgrade.Image{
		Repository: server.Listener.Addr().String() + "/" + unique("group/model-gateway"),
		Tag:        "self-hosted-v18.2.8-ee",
		Digest:     registry.manifest,
		Platform:   "linux/" + runtime.GOARCH,
	}
	auth := Credentials{User: "ci", Password: "hunter22", Source: "a test"}

	for _, test := range []struct {
		name string
		auth Credentials
		with func(*upgrade.Image)
		want string
	}{
		{"anonymous", Credentials{}, func(*upgrade.Image) {}, "refused an anonymous pull"},
		{"wrong password", Credentials{User: "ci", Password: "wrong-password", Source: "a test"}, func(*upgrade.Image) {}, "refused user ci (from a test)"},
		{"unknown digest", auth, func(i *upgrade.Image) { i.Digest = "sha256:" + strings.Repeat("0", 64) }, "no longer has this digest"},
		{"no registry", auth, func(i *upgrade.Image) { i.Repository = "127.0.0.1:1/x" }, "cannot reach 127.0.0.1:1"},
	} {
		wrong := image
		test.with(&wrong)
		err := e.Pull(t.Context(), wrong, test.auth)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter22") || strings.Contains(err.Error(), "wrong-password")) {
			t.Errorf("%s: the error holds the password: %v", test.name, err)
		}
	}
	if has, err := e.Has(t.Context(), image); has || err != nil {
		t.Fatalf("before: Has = %v, %v", has, err)
	}
	if err := e.Pull(t.Context(), image, auth); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = e.api.ImageRemove(context.Background(), image.Pull(), client.ImageRemoveOptions{})
	})
	if has, err := e.Has(t.Context(), image); !has || err != nil {
		t.Fatalf("after: Has = %v, %v", has, err)
	}
	if !strings.Contains(log.String(), `layers="1 of 1"`) {
		t.Errorf("log: %s", &log)
	}

	// A container is created from repository:tag@digest without a local tag, and is
	// listed under that name.
	made, err := e.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: &container.Config{Image: image.Reference()}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.removeContainer(context.Background(), made.ID)
	list, err := e.api.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("id", made.ID)})
	if err != nil || len(list.Items) != 1 || list.Items[0].Image != image.Reference() {
		t.Errorf("listed as %+v, %v", list.Items, err)
	}
	state, err := e.gateway(made.ID, "test", false).State(t.Context())
	if err != nil || state.Status != upgrade.Created || !image.Is(state.Digests) {
		t.Errorf("state %+v, %v, want the digest %s in it", state, err, image.Digest)
	}
}
