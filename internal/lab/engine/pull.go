package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// createImage pulls or imports an image.
func (e *Engine) createImage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	switch {
	case q.Get("fromImage") != "":
		return e.pull(w, r)
	case q.Get("fromSrc") == "-":
		return e.importImage(w, r)
	case q.Get("fromSrc") != "":
		return refuse(http.StatusNotImplemented, "import from a URL is not offered by the stand-in engine: send the archive with fromSrc=-")
	}
	return refuse(http.StatusBadRequest, "fromImage or fromSrc is needed")
}

// pulling is one pull under way.
type pulling struct {
	ref      reference
	platform string // what the client asked for; empty when it did not
	remote   name.Reference
	options  []remote.Option
}

// pull answers errors that come before the first progress line with a status,
// and later ones inside the stream, as Docker does.
func (e *Engine) pull(w http.ResponseWriter, r *http.Request) error {
	p, err := newPulling(r)
	if err != nil {
		return err
	}
	descriptor, err := remote.Get(p.remote, p.options...)
	if err != nil {
		return p.explain(err)
	}
	out := newProgress(w)
	id := p.ref.tag
	if p.ref.digest != "" {
		id = p.remote.String()
	}
	out.line(message{Status: "Pulling from " + p.remote.Context().RepositoryStr(), ID: id})
	fresh, err := e.download(r.Context(), p, descriptor, out)
	if err != nil {
		e.log.Warn("pull failed", "image", p.ref.key(), "error", err)
		out.fail(err)
		return nil
	}
	out.line(message{Status: "Digest: " + descriptor.Digest.String()})
	if fresh {
		out.line(message{Status: "Status: Downloaded newer image for " + p.ref.key()})
	} else {
		out.line(message{Status: "Status: Image is up to date for " + p.ref.key()})
	}
	return nil
}

func newPulling(r *http.Request) (*pulling, error) {
	q := r.URL.Query()
	ref, err := parseReference(q.Get("fromImage"))
	if err != nil {
		return nil, err
	}
	switch tag := q.Get("tag"); {
	case digestForm.MatchString(tag):
		ref.tag, ref.digest = "", tag
	case tagForm.MatchString(tag):
		ref.tag, ref.digest = tag, ""
	case tag != "":
		return nil, refuse(http.StatusBadRequest, "invalid tag format")
	}
	ref = ref.withTag()
	if ref.digest != "" {
		ref.tag = ""
	}
	p := &pulling{ref: ref, platform: q.Get("platform")}
	if p.remote, err = name.ParseReference(ref.key(), name.WeakValidation); err != nil {
		return nil, badReference("")
	}
	if !isLoopback(p.remote.Context().RegistryStr()) {
		return nil, refuse(http.StatusForbidden, "the stand-in engine runs images without isolation and so pulls from loopback registries only, not from %s", p.remote.Context().RegistryStr())
	}
	auth, err := registryAuth(r.Header.Get("X-Registry-Auth"))
	if err != nil {
		return nil, err
	}
	p.options = []remote.Option{
		remote.WithContext(r.Context()), remote.WithAuth(auth),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}), // a fault of the registry is to be seen, not smoothed
	}
	return p, nil
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// explain gives a registry's error the status and the text that Docker gives it.
func (p *pulling) explain(err error) error {
	var te *transport.Error
	if !errors.As(err, &te) {
		return err
	}
	for _, d := range te.Errors {
		switch d.Code {
		case transport.ManifestUnknownErrorCode:
			return refuse(http.StatusNotFound, "manifest for %s not found: manifest unknown: %s", p.ref.key(), d.Message)
		case transport.NameUnknownErrorCode:
			return refuse(http.StatusNotFound, "repository %s not found: name unknown: %s", p.ref.repo, d.Message)
		case transport.DeniedErrorCode:
			return refuse(http.StatusNotFound, "pull access denied for %s, repository does not exist or may require 'docker login': denied: %s", p.ref.repo, d.Message)
		case transport.UnauthorizedErrorCode:
			return refuse(http.StatusInternalServerError, "unauthorized: %s", d.Message)
		}
	}
	if te.StatusCode == http.StatusUnauthorized {
		return refuse(http.StatusInternalServerError, "unauthorized: authentication required")
	}
	return err
}

// download brings the image here, unless it is here already, and names it. It
// reports whether the name is new or points elsewhere than before.
func (e *Engine) download(ctx context.Context, p *pulling, d *remote.Descriptor, out *progress) (fresh bool, err error) {
	img, err := p.choose(d)
	if err != nil {
		return false, err
	}
	config, err := img.ConfigName()
	if err != nil {
		return false, err
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		return false, err
	}
	keys := []string{p.ref.repo + "@" + d.Digest.String()}
	if p.ref.tag != "" {
		keys = append(keys, p.ref.key())
	}
	id := config.String()
	e.mu.Lock()
	here := e.images[id] != nil
	fresh = e.refs[p.ref.key()] != id
	e.mu.Unlock()
	var tmp string
	var size int64
	if !here {
		if tmp, size, err = e.unpackLayers(ctx, img, out); err != nil {
			return false, err
		}
		defer os.RemoveAll(tmp) // store has moved it, or does not need it
	}
	return fresh, e.store(id, raw, tmp, size, keys...)
}

// choose picks the image for the platform out of an index.
func (p *pulling) choose(d *remote.Descriptor) (v1.Image, error) {
	if !d.MediaType.IsIndex() {
		return d.Image()
	}
	index, err := d.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	want := p.platform
	if want == "" {
		want = ownPlatform()
	}
	for _, m := range manifest.Manifests {
		if m.Platform != nil && samePlatform(want, m.Platform.OS, m.Platform.Architecture) {
			return index.Image(m.Digest)
		}
	}
	return nil, fmt.Errorf("no matching manifest for %s in the manifest list entries", want)
}

// samePlatform compares "os/architecture[/variant]" without the variant.
func samePlatform(want, os, arch string) bool {
	return want == os+"/"+arch || strings.HasPrefix(want, os+"/"+arch+"/")
}
