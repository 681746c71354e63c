package engine

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/storage"
)

// image is an unpacked image. Nothing but tagged changes once it is stored.
type image struct {
	id     string // digest of the configuration: Docker's image ID
	dir    string // its files
	size   int64
	config imageConfig
	tagged time.Time // when it was last tagged by hand; guarded by Engine.mu
}

// imageConfig is the part of an image's configuration that is used here (OCI
// image specification, config.md).
type imageConfig struct {
	Created      time.Time        `json:"created,omitzero"`
	Author       string           `json:"author,omitempty"`
	Comment      string           `json:"comment,omitempty"`
	Architecture string           `json:"architecture"`
	OS           string           `json:"os"`
	Variant      string           `json:"variant,omitempty"`
	Config       container.Config `json:"config"`
	RootFS       struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

func (c imageConfig) platform() string { return c.OS + "/" + c.Architecture }

// ownPlatform is what the engine runs, as "os/architecture".
func ownPlatform() string { return "linux/" + runtime.GOARCH }

// store keeps an image whose files were unpacked to tmp, under the keys given.
// It takes tmp over. An image that is there already stays as it is.
func (e *Engine) store(id string, raw []byte, tmp string, size int64, keys ...string) error {
	var config imageConfig
	if err := json.Unmarshal(raw, &config); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.images[id] == nil {
		dir := filepath.Join(e.dir, "images", strings.TrimPrefix(id, "sha256:"))
		if err := os.Rename(tmp, dir); err != nil {
			return err
		}
		e.images[id] = &image{id: id, dir: dir, size: size, config: config}
	}
	for _, k := range keys {
		e.refs[k] = id
	}
	return nil
}

// lookUp finds an image by ID, by name, or by the beginning of its ID, in that
// order, as Docker does. e.mu is held.
func (e *Engine) lookUp(ref string) (*image, error) {
	hex := strings.TrimPrefix(ref, "sha256:")
	if len(hex) == 64 && idForm.MatchString(hex) {
		if img := e.images["sha256:"+hex]; img != nil {
			return img, nil
		}
		return nil, noImage(ref)
	}
	r, err := parseReference(ref)
	if err != nil {
		return nil, err
	}
	if img := e.images[e.refs[r.key()]]; img != nil {
		return img, nil
	}
	if idForm.MatchString(hex) {
		for id, img := range e.images {
			if strings.HasPrefix(id, "sha256:"+hex) {
				return img, nil
			}
		}
	}
	if r.tag == "" && r.digest == "" {
		ref += ":latest"
	}
	return nil, noImage(ref)
}

func noImage(ref string) error { return refuse(http.StatusNotFound, "No such image: %s", ref) }

// keysOf are the names of an image, tags before digests, each sorted. e.mu is held.
func (e *Engine) keysOf(id string) (tags, digests []string) {
	tags, digests = []string{}, []string{}
	for _, k := range slices.Sorted(maps.Keys(e.refs)) {
		switch {
		case e.refs[k] != id:
		case isDigest(k):
			digests = append(digests, k)
		default:
			tags = append(tags, k)
		}
	}
	return tags, digests
}

// imageJSON is an image as API 1.41 shows it; newer versions dropped some of this.
type imageJSON struct {
	ID           string `json:"Id"`
	RepoTags     []string
	RepoDigests  []string
	Parent       string
	Comment      string
	Created      time.Time
	Container    string
	Author       string
	Config       configJSON
	Architecture string
	Variant      string `json:",omitempty"`
	Os           string
	Size         int64
	VirtualSize  int64
	GraphDriver  storage.DriverData
	RootFS       struct {
		Type   string
		Layers []string
	}
	Metadata struct{ LastTagTime time.Time }
}

// inspectImage also serves names that contain slashes, which is why "/json" is
// not part of its route.
func (e *Engine) inspectImage(w http.ResponseWriter, r *http.Request) error {
	ref, ok := strings.CutSuffix(r.PathValue("name"), "/json")
	if !ok {
		return noPage(w, r)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	img, err := e.lookUp(ref)
	if err != nil {
		if re, ok := err.(*refusal); ok && re.status == http.StatusNotFound {
			return refuse(re.status, "no such image: %s: %s", ref, re.text)
		}
		return err
	}
	c := img.config
	out := imageJSON{
		ID: img.id, Comment: c.Comment, Created: c.Created, Author: c.Author, Config: configJSON{Config: &c.Config, OnBuild: c.Config.OnBuild},
		Architecture: c.Architecture, Variant: c.Variant, Os: c.OS, Size: img.size, VirtualSize: img.size,
		GraphDriver: storage.DriverData{Name: graphDriver, Data: map[string]string{"UpperDir": img.dir}},
	}
	out.RepoTags, out.RepoDigests = e.keysOf(img.id)
	out.RootFS.Type, out.RootFS.Layers = "layers", c.RootFS.DiffIDs
	out.Metadata.LastTagTime = img.tagged
	return writeJSON(w, http.StatusOK, out)
}

// tagImage gives an image another name.
func (e *Engine) tagImage(w http.ResponseWriter, r *http.Request) error {
	ref, ok := strings.CutSuffix(r.PathValue("name"), "/tag")
	if !ok {
		return noPage(w, r)
	}
	to := r.URL.Query().Get("repo")
	if tag := r.URL.Query().Get("tag"); tag != "" {
		to += ":" + tag
	}
	target, err := parseReference(to)
	if err != nil {
		return err
	}
	if target.digest != "" {
		return refuse(http.StatusBadRequest, "refusing to create a tag with a digest reference")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	img, err := e.lookUp(ref)
	if err != nil {
		return err
	}
	e.refs[target.key()] = img.id
	img.tagged = time.Now().UTC()
	w.WriteHeader(http.StatusCreated)
	return nil
}

// listImages shows every image; of the filters it knows "label" and "reference".
func (e *Engine) listImages(w http.ResponseWriter, r *http.Request) error {
	want, err := readFilters(r, "label", "reference")
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(e.images)) {
		img := e.images[id]
		tags, digests := e.keysOf(id)
		if !want.labels(img.config.Config.Labels) || !want.reference(tags, digests) {
			continue
		}
		if len(tags) == 0 && len(digests) == 0 {
			tags, digests = []string{"<none>:<none>"}, []string{"<none>@<none>"}
		}
		out = append(out, map[string]any{
			"Id": id, "ParentId": "", "RepoTags": tags, "RepoDigests": digests, "Created": img.config.Created.Unix(),
			"Labels": img.config.Config.Labels, "Size": img.size, "VirtualSize": img.size, "SharedSize": -1, "Containers": -1,
		})
	}
	return writeJSON(w, http.StatusOK, out)
}
