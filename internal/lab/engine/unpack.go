package engine

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Bounds on what one archive may hold. A gateway image is about 1 GB.
const (
	maxUnpacked = 8 << 30 // bytes
	maxEntries  = 500_000
)

// whiteout marks, in an image's layer, a file that the layer deletes; opaque a
// directory whose older entries it hides (OCI image specification, layer.md).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// unpacking is one archive on its way into a directory of a tree.
type unpacking struct {
	root     *os.Root
	dir      string // where entries go, relative to root
	layer    bool   // entries may be whiteouts
	keepKind bool   // refuse to replace a directory by a file, or the other way round
	bytes    int64  // of files, so far
	entries  int
}

// read unpacks r. Nothing is ever written outside the tree: an entry that names
// a path above dir is refused, and links are followed inside the tree only.
// Devices and pipes are left out, owners are not kept.
func (u *unpacking) read(r io.Reader) error {
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("reading a tar archive: %w", err)
		}
		if u.entries++; u.entries > maxEntries {
			return fmt.Errorf("the archive has more than %d entries", maxEntries)
		}
		if err := u.entry(h, in); err != nil {
			return fmt.Errorf("unpacking %q: %w", h.Name, err)
		}
	}
}

func (u *unpacking) entry(h *tar.Header, body io.Reader) error {
	name := path.Clean(strings.TrimLeft(h.Name, "/"))
	if above(name) {
		return errors.New("the entry would leave the directory it is unpacked to")
	}
	if name == "." {
		return nil
	}
	dir, err := inside(u.root, path.Join("/", u.dir, path.Dir(name)))
	if err != nil {
		return err
	}
	if err := u.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	base := path.Base(name)
	if hidden, ok := strings.CutPrefix(base, whiteout); ok && u.layer {
		return u.hide(dir, base, hidden)
	}
	to := path.Join(dir, base)
	if err := u.makeRoom(to, h.Typeflag == tar.TypeDir); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.root.MkdirAll(to, 0o755); err != nil {
			return err
		}
		// The engine's user must be able to unpack into it and to remove it.
		return u.root.Chmod(to, fs.FileMode(h.Mode)&0o777|0o700)
	case tar.TypeReg:
		return u.file(h, to, body)
	case tar.TypeSymlink:
		return u.root.Symlink(h.Linkname, to)
	case tar.TypeLink:
		from, err := inside(u.root, path.Join("/", u.dir, h.Linkname))
		if err != nil {
			return err
		}
		return u.root.Link(from, to)
	}
	return nil
}

// above says whether a cleaned relative path leads out of where it starts.
func above(name string) bool { return name == ".." || strings.HasPrefix(name, "../") }

func (u *unpacking) hide(dir, base, hidden string) error {
	if base != opaque {
		if hidden == "" || hidden == "." || hidden == ".." {
			return errors.New("a whiteout without a name")
		}
		return u.root.RemoveAll(path.Join(dir, hidden))
	}
	d, err := u.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	for _, n := range names {
		err = errors.Join(err, u.root.RemoveAll(path.Join(dir, n)))
	}
	return err
}

// makeRoom removes what stands where an entry goes, unless both are directories.
func (u *unpacking) makeRoom(to string, dir bool) error {
	old, err := u.root.Lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case old.IsDir() && dir:
		return nil
	case u.keepKind && old.IsDir() && !dir:
		return fmt.Errorf("cannot overwrite directory %q with non-directory", "/"+to)
	case u.keepKind && !old.IsDir() && dir:
		return fmt.Errorf("cannot overwrite non-directory %q with directory", "/"+to)
	}
	return u.root.RemoveAll(to)
}

func (u *unpacking) file(h *tar.Header, to string, body io.Reader) error {
	if u.bytes += h.Size; u.bytes > maxUnpacked {
		return fmt.Errorf("the archive unpacks to more than %d bytes", int64(maxUnpacked))
	}
	mode := fs.FileMode(h.Mode)&0o777 | 0o600
	f, err := u.root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = u.root.Chtimes(to, h.ModTime, h.ModTime)
	}
	return err
}
