package jobimage

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// entry is one file, directory or link of a layer.
type entry struct {
	path string // without a slash in front
	mode fs.FileMode
	data []byte
	link string // of a symbolic link: what it points to
	uid  int    // and group
}

// layer packs entries, in the order of their paths, without anything of the
// machine that does it.
func layer(entries []entry) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, e := range slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return cmp.Compare(a.path, b.path) }) {
		header := &tar.Header{
			Format:   tar.FormatPAX,
			Name:     e.path,
			Typeflag: tar.TypeReg,
			Mode:     int64(e.mode.Perm()),
			Size:     int64(len(e.data)),
			Uid:      e.uid,
			Gid:      e.uid,
			ModTime:  Epoch,
		}
		switch {
		case e.link != "":
			header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
		case e.mode.IsDir():
			header.Typeflag, header.Name = tar.TypeDir, e.path+"/"
		}
		if e.mode&fs.ModeSticky != 0 {
			header.Mode |= 0o1000 // tar's bit, which is not Go's
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packing %s: %w", e.path, err)
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, fmt.Errorf("packing %s: %w", e.path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestCompression),
		tarball.WithCompressedCaching,
	)
}
