package dockerd

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// RemoveGateway removes the container of a gateway, and those that the program has
// beside it.
func (e *Engine) RemoveGateway(ctx context.Context, name string) error {
	list, err := e.Containers(ctx)
	errs := []error{err}
	for _, l := range list {
		if l.Belongs(name) {
			errs = append(errs, unlessMissing(e.Remove(ctx, l.ID)))
		}
	}
	return errors.Join(errs...)
}

// RemoveImages removes the images of a registry, "127.0.0.1:5000",
// under all their names.
func (e *Engine) RemoveImages(ctx context.Context, registry string) error {
	list, err := e.Images(ctx)
	errs := []error{err}
	for _, i := range list {
		for _, name := range append(i.RepoTags, i.RepoDigests...) {
			if strings.HasPrefix(name, registry+"/") {
				errs = append(errs, unlessMissing(e.Call(ctx, http.MethodDelete, "/images/"+name, nil, nil)))
			}
		}
	}
	return errors.Join(errs...)
}

// unlessMissing is nil for what somebody else has removed.
func unlessMissing(err error) error {
	if IsMissing(err) {
		return nil
	}
	return err
}
