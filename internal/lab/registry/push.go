package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"aigw-ci/internal/lab/wire"
)

// Push puts an image under a tag, from within: no request, no credentials. A tag
// that exists is moved, as when a release is built again; the image it pointed at
// stays, under its digest.
func (s *Server) Push(name, tag string, image v1.Image) error {
	if err := s.putImage(name, tag, image); err != nil {
		return fmt.Errorf("pushing %s:%s: %w", name, tag, err)
	}
	s.listed(name, tag)
	return nil
}

// PushIndex puts an index and its images under a tag.
func (s *Server) PushIndex(name, tag string, index v1.ImageIndex) error {
	if err := s.putIndex(name, tag, index); err != nil {
		return fmt.Errorf("pushing %s:%s: %w", name, tag, err)
	}
	s.listed(name, tag)
	return nil
}

// listed notes that the store has a manifest for a tag.
func (s *Server) listed(name, tag string) {
	s.AddTags(name, tag)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repositories[name].stored[tag] = true
}

// pushed serves a client's push of a manifest.
func (s *Server) pushed(w http.ResponseWriter, r *http.Request, name, reference string) {
	a := wire.Capture(s.store, r)
	if a.Status == http.StatusCreated && !strings.Contains(reference, ":") {
		s.listed(name, reference)
	}
	a.WriteTo(w)
}

// ensure makes the image of a tag that is listed and not yet stored.
func (s *Server) ensure(name, tag string) error {
	repo, wanted := s.wanted(name, tag)
	if !wanted || s.options.Image == nil {
		return nil
	}
	repo.make.Lock()
	defer repo.make.Unlock()
	if _, wanted := s.wanted(name, tag); !wanted {
		return nil // somebody else made it, or pushed another
	}
	image, err := s.options.Image(name, tag)
	if err != nil {
		return fmt.Errorf("making the image of %s:%s: %w", name, tag, err)
	}
	return s.Push(name, tag, image)
}

func (s *Server) wanted(name, tag string) (*repository, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.repositories[name]
	return repo, repo != nil && repo.has(tag) && !repo.stored[tag]
}

func (s *Server) putIndex(name, reference string, index v1.ImageIndex) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, child := range manifest.Manifests {
		image, err := index.Image(child.Digest)
		if err != nil {
			return err
		}
		if err := s.putImage(name, child.Digest.String(), image); err != nil {
			return err
		}
	}
	raw, err := index.RawManifest()
	if err != nil {
		return err
	}
	return s.putManifest(name, reference, manifest.MediaType, raw)
}

func (s *Server) putImage(name, reference string, image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		blob, err := layer.Compressed()
		if err != nil {
			return err
		}
		if err := s.blobs.Put(context.Background(), name, digest, blob); err != nil {
			return err
		}
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	digest, err := image.ConfigName()
	if err != nil {
		return err
	}
	if err := s.blobs.Put(context.Background(), name, digest, io.NopCloser(bytes.NewReader(config))); err != nil {
		return err
	}
	kind, err := image.MediaType()
	if err != nil {
		return err
	}
	raw, err := image.RawManifest()
	if err != nil {
		return err
	}
	return s.putManifest(name, reference, kind, raw)
}

func (s *Server) putManifest(name, reference string, kind types.MediaType, raw []byte) error {
	r, err := http.NewRequest(http.MethodPut, "/v2/"+name+"/manifests/"+reference, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", string(kind))
	if a := wire.Capture(s.store, r); a.Status != http.StatusCreated {
		return fmt.Errorf("the store answered %d: %s", a.Status, a.Body)
	}
	return nil
}
