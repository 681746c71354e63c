package registry

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"aigw-ci/internal/upgrade"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestDescribe(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.8-ee", "single", "nested")
	index := e.index("linux/amd64", "linux/arm64/v8", "linux/arm/v7")
	single := e.image("linux/arm64")
	inner := e.index("linux/s390x")
	outer, _ := e.put(types.DockerManifestList, doc{"schemaVersion": 2, "mediaType": types.DockerManifestList, "manifests": []doc{
		{"mediaType": types.OCIImageIndex, "digest": inner.digest, "size": len(e.blobs[inner.digest])},
		e.entry("linux/amd64", index.children["linux/amd64"]),
	}})
	e.heads["self-hosted-v18.2.8-ee"], e.heads["single"], e.heads["nested"] = index.digest, single.digest, outer

	for _, tt := range []struct {
		reference, platform string
		tag, digest         string
		want                leaf
		err                 string
	}{
		{":self-hosted-v18.2.8-ee", "", "self-hosted-v18.2.8-ee", index.digest, index.children["linux/amd64"], ""},
		{":self-hosted-v18.2.8-ee@" + single.digest, "linux/arm64", "self-hosted-v18.2.8-ee", single.digest, single, ""},
		{"@" + index.digest, "linux/arm64", "", index.digest, index.children["linux/arm64/v8"], ""},
		{"@" + index.digest, "linux/arm64/v8", "", index.digest, index.children["linux/arm64/v8"], ""},
		{"@" + index.digest, "linux/arm", "", index.digest, index.children["linux/arm/v7"], ""},
		{"@" + index.digest, "linux/arm/v6", "", "", leaf{}, "the image has linux/amd64, linux/arm/v7, linux/arm64/v8, the target is linux/arm/v6"},
		{"@" + index.digest, "windows/amd64", "", "", leaf{}, "the target is windows/amd64"},
		{":single", "linux/amd64", "", "", leaf{}, "the image has linux/arm64, the target is linux/amd64"},
		{":single", "linux/arm64/v8", "single", single.digest, single, ""},
		{":nested", "linux/amd64", "nested", outer, index.children["linux/amd64"], ""},
		{":nested", "linux/s390x", "nested", outer, inner.children["linux/s390x"], ""},
		{":nested", "linux/ppc64le", "", "", leaf{}, "the image has linux/amd64, linux/s390x, the target is linux/ppc64le"},
		{":gone", "", "", "", leaf{}, "404 Not Found (MANIFEST_UNKNOWN manifest unknown)"},
		{"@sha256:" + strings.Repeat("0", 64), "", "", "", leaf{}, "404 Not Found"},
		{"", "", "", "", leaf{}, "does not name an image"},
		{":", "", "", "", leaf{}, "does not name an image"},
		{"@sha256:123", "", "", "", leaf{}, "does not name an image"},
		{":a@" + index.digest + "@" + index.digest, "", "", "", leaf{}, "does not name an image"},
	} {
		t.Run(tt.reference+" "+tt.platform, func(t *testing.T) {
			t.Parallel()
			got, err := e.registry().Describe(t.Context(), e.repository()+tt.reference, tt.platform)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			want := upgrade.Image{Repository: e.repository(), Tag: tt.tag, Digest: tt.digest, PlatformDigest: tt.want.digest,
				ConfigDigest: tt.want.config, Platform: tt.want.platform, Reason: "named by its reference"}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// A reference this package made can be read by it again: rollback depends on it.
func TestDescribeReadsAnImagesReference(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.8-ee")
	r := e.registry()
	found, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Describe(t.Context(), found.Reference(), found.Platform)
	again.Reason = found.Reason
	if err != nil || again != found {
		t.Errorf("%v %s", err, cmp.Diff(found, again))
	}
}

func TestDescribeEndsInDeepIndexes(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "deep")
	kind := types.OCIImageIndex
	digest, size := e.put(kind, doc{"schemaVersion": 2, "mediaType": kind, "manifests": []doc{e.entry("linux/amd64", e.image("linux/amd64"))}})
	for range maxNested + 1 {
		digest, size = e.put(kind, doc{"schemaVersion": 2, "mediaType": kind, "manifests": []doc{{"mediaType": kind, "digest": digest, "size": size}}})
	}
	e.heads["deep"] = digest
	if _, err := e.registry().Describe(t.Context(), e.repository()+":deep", ""); err == nil || !strings.Contains(err.Error(), "holds more than 4 others") {
		t.Errorf("error %v", err)
	}
}

func TestManifestIsProven(t *testing.T) {
	t.Parallel()
	other := "sha256:" + strings.Repeat("a", 64)
	config := doc{"mediaType": types.OCIConfigJSON, "digest": other, "size": 1}
	image := types.OCIManifestSchema1
	for _, tt := range []struct {
		name   string
		kind   types.MediaType
		body   any
		header string // Docker-Content-Digest
		want   string // "": accepted
	}{
		{"kind from the header alone", image, doc{"schemaVersion": 2, "config": config, "layers": []any{}}, "none", ""},
		{"digest of another algorithm", image, doc{"schemaVersion": 2, "config": config}, "sha512:" + strings.Repeat("a", 128), ""},
		{"another digest in the header", image, doc{"schemaVersion": 2, "config": config}, other, "changed or damaged on the way"},
		{"index and image at once", image, doc{"schemaVersion": 2, "config": config, "manifests": []any{}}, "none", "both at once"},
		{"neither", image, doc{"schemaVersion": 2}, "none", "neither"},
		{"index that says image", types.OCIImageIndex, doc{"schemaVersion": 2, "mediaType": image, "manifests": []any{}}, "none", "does not fit"},
		{"image that says index", types.OCIImageIndex, doc{"schemaVersion": 2, "config": config}, "none", "does not fit"},
		{"unknown kind", "application/json", doc{"schemaVersion": 2, "config": config}, "none", "does not fit"},
		{"schema 1", "application/vnd.docker.distribution.manifest.v1+prettyjws", doc{"schemaVersion": 1, "fsLayers": []any{}}, "none", "schema 1"},
		{"Helm chart", image, doc{"schemaVersion": 2, "config": doc{"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": other, "size": 1}}, "none", "not a container image"},
		{"bad digest inside", image, doc{"schemaVersion": 2, "config": doc{"mediaType": types.OCIConfigJSON, "digest": "sha256:../../x"}}, "none", "reading the manifest"},
		{"list", image, []int{1}, "none", "not a manifest"},
		{"too large", image, doc{"schemaVersion": 2, "x": strings.Repeat("x", maxManifest)}, "none", "larger than"},
		{"empty index", types.OCIImageIndex, doc{"schemaVersion": 2, "manifests": []any{}}, "none", "the image has no platform, the target is linux/amd64"},
		{"crowded index", types.OCIImageIndex, doc{"schemaVersion": 2, "manifests": make([]doc, maxChildren+1)}, "none", "more than"},
		{"another digest than the index says", types.OCIImageIndex, doc{"schemaVersion": 2, "manifests": []doc{{"mediaType": types.OCIImageIndex, "digest": other, "size": 1}}}, "none", "changed or damaged on the way"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, "pinned")
			e.heads["pinned"], _ = e.put(tt.kind, tt.body)
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("Authorization") == "" || !strings.Contains(r.URL.Path, "/manifests/") {
					return false
				}
				w.Header().Set("Content-Type", string(tt.kind))
				if tt.header != "none" {
					w.Header().Set("Docker-Content-Digest", tt.header)
				}
				_, _ = w.Write(e.blobs[e.heads["pinned"]])
				return true
			}
			_, err := e.registry().Describe(t.Context(), e.repository()+":pinned", "")
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// Without its configuration the platform of a single manifest is not known. The
// configuration often lies on a storage host that only the engine can reach.
func TestConfigurationOutOfReach(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.8-ee")
	single := e.image("linux/amd64")
	e.heads[""] = single.digest
	for _, answer := range []string{"refused", "tampered"} {
		t.Run(answer, func(t *testing.T) {
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/blobs/") {
					return false
				}
				if answer == "refused" {
					w.WriteHeader(403)
				}
				fmt.Fprint(w, `{"os":"linux","architecture":"amd64"}`)
				return true
			}
			var log bytes.Buffer
			r := e.registry(func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			got, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), "linux/amd64")
			if answer == "tampered" {
				if err == nil || !strings.Contains(err.Error(), "changed or damaged on the way") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || got.ConfigDigest != single.config || !strings.Contains(log.String(), "platform is not known before the pull") {
				t.Errorf("%+v, %v, log %s", got, err, &log)
			}
		})
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.8-ee", "self-hosted-v18.3.1-ee", "0a1b2c3d")
	old := e.index("linux/amd64")
	other := newEstate(t)
	for _, tt := range []struct {
		tag, gitlab string
		want        string // Reason, or error
		works       bool
	}{
		{"self-hosted-v18.2.8-ee", "18.2.1-ee", "pinned by image.tag", true},
		{"self-hosted-v18.3.1-ee", "18.2.1-ee", "pinned by image.tag although GitLab is 18.2", true},
		{"0a1b2c3d", "18.9.0-pre", "pinned by image.tag", true},
		{"self-hosted-v18.2.8-ee@" + old.digest, "18.2.1-ee", "pinned by image.tag", true},
		{"self-hosted-v18.2.8-ee@sha256:" + strings.Repeat("0", 64), "18.2.1-ee", "404 Not Found", false},
		{"self-hosted-18.2.8-ee", "18.2.1-ee", `it is spelled with a v, "self-hosted-v18.2.8-ee"`, false},
		{"nothing", "18.2.1-ee", `image.tag "nothing" was found nowhere: GET https://`, false},
	} {
		t.Run(tt.tag+" "+tt.gitlab, func(t *testing.T) {
			t.Parallel()
			r := e.registry(func(o *Options) {
				o.Tag, o.Repositories = tt.tag, append([]string{other.repository()}, o.Repositories...)
			})
			got, err := r.Find(t.Context(), gitlab(t, tt.gitlab), "linux/amd64")
			if !tt.works {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil || !strings.HasPrefix(got.Reason, tt.want+"; passed over: ") {
				t.Fatalf("reason %q, %v", got.Reason, err)
			}
			tag, digest, pinned := strings.Cut(tt.tag, "@")
			if got.Tag != tag || pinned && got.Digest != digest {
				t.Errorf("found %s", got.Reference())
			}
			if e.asked("tags/list") > 0 {
				t.Error("tags were listed for a pinned one")
			}
		})
	}
	for _, tag := range []string{"a/b", "a:b", "-a", "a@", "@" + old.digest, "a@sha512:" + strings.Repeat("0", 128), strings.Repeat("a", 129), "a b", "a\n"} {
		if _, err := parsePin(tag); err == nil || len(err.Error()) > 400 {
			t.Errorf("parsePin(%.20q): %v", tag, err)
		}
	}
}
