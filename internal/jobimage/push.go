package jobimage

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// ErrTaken means that the tag exists and is another image. Templates and sites pin
// tags together with digests, so a published tag is never moved.
var ErrTaken = errors.New("the tag is another image already, and is not moved")

// Login is what a registry is shown; the zero value shows nothing.
type Login struct{ Username, Password, IdentityToken string }

// Repository is the repository of a reference that Push takes.
func Repository(reference string) (string, error) {
	tag, err := name.NewTag(reference, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("pushing: %w", err)
	}
	return tag.Repository.Name(), nil
}

// Push puts the image into a registry under a tag, with all that belongs to it. An
// image that is there already is left as it is; another one under that tag is
// ErrTaken. The reference is "registry/repository:tag".
func (b *Built) Push(ctx context.Context, reference string, login Login, web http.RoundTripper) error {
	tag, err := name.NewTag(reference, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("pushing: %w", err)
	}
	digest, err := b.index.Digest()
	if err != nil {
		return fmt.Errorf("pushing %s: %w", tag, err)
	}
	shown := authn.Anonymous
	if login != (Login{}) {
		shown = authn.FromConfig(authn.AuthConfig{
			Username: login.Username, Password: login.Password, IdentityToken: login.IdentityToken,
		})
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(web), remote.WithAuth(shown)}
	there, err := remote.Get(tag, options...)
	if problem, ok := errors.AsType[*transport.Error](err); ok && problem.StatusCode == http.StatusNotFound {
		if err := remote.WriteIndex(tag, b.index, options...); err != nil {
			return fmt.Errorf("pushing %s: %w", tag, err)
		}
		return nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("looking whether %s exists: %w", tag, err)
	case there.Digest != digest:
		return fmt.Errorf("pushing %s: %w: there is %s, and this is %s; publish a new version", tag, ErrTaken, there.Digest, digest)
	}
	return nil
}
