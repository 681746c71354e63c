package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// unpackLayers unpacks all layers into a new directory, lowest first.
func (e *Engine) unpackLayers(ctx context.Context, img v1.Image, out *progress) (dir string, size int64, err error) {
	layers, err := img.Layers()
	if err != nil {
		return "", 0, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return "", 0, err
	}
	if len(layers) != len(config.RootFS.DiffIDs) {
		return "", 0, errors.New("layers from manifest don't match image configuration")
	}
	if dir, err = os.MkdirTemp(filepath.Join(e.dir, "images"), "pull-"); err != nil {
		return "", 0, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", 0, err
	}
	defer root.Close()
	u := &unpacking{root: root, dir: ".", layer: true}
	for _, l := range layers {
		if digest, err := l.Digest(); err == nil {
			out.line(message{Status: "Pulling fs layer", Progress: &detail{}, ID: short(digest.String())})
		}
	}
	for i, l := range layers {
		if err := unpackLayer(ctx, u, l, config.RootFS.DiffIDs[i], out); err != nil {
			return "", 0, err
		}
	}
	return dir, u.bytes, nil
}

// unpackLayer streams one layer from the registry to its files, checking both
// its digests on the way.
func unpackLayer(ctx context.Context, u *unpacking, l v1.Layer, want v1.Hash, out *progress) error {
	digest, err := l.Digest()
	if err != nil {
		return err
	}
	total, err := l.Size()
	if err != nil {
		return err
	}
	blob, err := l.Compressed()
	if err != nil {
		return err
	}
	defer blob.Close()
	in := &download{ctx: ctx, in: blob, id: short(digest.String()), total: total, out: out}
	plain, err := decompress(in)
	if err != nil {
		return err
	}
	sum := sha256.New()
	files := io.TeeReader(plain, sum)
	if err := u.read(files); err != nil {
		return err
	}
	// A tar's end is not the stream's end, and the digest is checked there.
	for _, rest := range []io.Reader{files, in} {
		if _, err := io.Copy(io.Discard, rest); err != nil {
			return err
		}
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != want.String() {
		return fmt.Errorf("layer %s unpacks to %s instead of %s", digest, got, want)
	}
	in.done()
	return nil
}
