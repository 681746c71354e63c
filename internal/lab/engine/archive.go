package engine

import (
	"archive/tar"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/moby/moby/api/types/container"
)

// place is a path of a container: a file or directory of its own, or of a volume
// or a directory mounted there.
type place struct {
	root     *os.Root
	path     string // relative to root, links followed
	readOnly string // what is read-only; empty when it may be written to
}

// place finds where a path of a container lies. The caller closes its root.
func (e *Engine) place(r *http.Request) (place, error) {
	ref, p := r.PathValue("id"), r.URL.Query().Get("path")
	if p == "" {
		return place{}, refuse(http.StatusBadRequest, "bad parameter: pathcannot be empty")
	}
	e.mu.Lock()
	c, err := e.find(ref)
	if err != nil {
		e.mu.Unlock()
		return place{}, err
	}
	dir, inner, readOnly := c.rootDir(), path.Clean("/"+p), ""
	if c.host.ReadonlyRootfs {
		readOnly = "container rootfs"
	}
	deepest := ""
	for _, m := range c.mounts {
		if rest, ok := strings.CutPrefix(inner+"/", m.Destination+"/"); ok && len(m.Destination) > len(deepest) {
			deepest, dir, readOnly = m.Destination, m.Source, ""
			if !m.RW {
				readOnly = "mounted volume"
			}
			p = "/" + rest
		}
	}
	e.mu.Unlock()
	root, err := os.OpenRoot(dir)
	if err == nil {
		var at string
		if at, err = inside(root, path.Clean("/"+p)); err == nil {
			return place{root, at, readOnly}, nil
		}
		root.Close()
	}
	return place{}, notFound(r, err)
}

func notFound(r *http.Request, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return refuse(http.StatusNotFound, "Could not find the file %s in container %s", r.URL.Query().Get("path"), r.PathValue("id"))
	}
	return err
}

// stat finds a path and puts what is known of it into the answer's header.
func (e *Engine) stat(w http.ResponseWriter, r *http.Request) (place, fs.FileInfo, error) {
	p, err := e.place(r)
	if err != nil {
		return p, nil, err
	}
	info, err := p.root.Lstat(p.path)
	if err != nil {
		p.root.Close()
		return p, nil, notFound(r, err)
	}
	b, err := json.Marshal(container.PathStat{
		Name: path.Base(path.Clean("/" + r.URL.Query().Get("path"))), Size: info.Size(), Mode: info.Mode(), Mtime: info.ModTime(),
	})
	if err != nil {
		p.root.Close()
		return p, nil, err
	}
	w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(b))
	return p, info, nil
}

func (e *Engine) statArchive(w http.ResponseWriter, r *http.Request) error {
	p, _, err := e.stat(w, r)
	if err != nil {
		return err
	}
	return p.root.Close()
}

// readArchive sends a file or a directory. Its name is the path's last part, or
// "." for a path that ends in "/.".
func (e *Engine) readArchive(w http.ResponseWriter, r *http.Request) error {
	p, info, err := e.stat(w, r)
	if err != nil {
		return err
	}
	defer p.root.Close()
	asked := r.URL.Query().Get("path")
	name := path.Base(path.Clean("/" + asked))
	if strings.HasSuffix(asked, "/.") || name == "/" {
		name = "."
	}
	w.Header().Set("Content-Type", "application/x-tar")
	out := tar.NewWriter(w)
	if err := pack(out, p.root, p.path, name, info); err != nil {
		e.log.Warn("archive was cut short", "path", asked, "error", err)
		panic(http.ErrAbortHandler) // the header is out; a broken connection tells the client
	}
	return out.Close()
}

// pack writes one file, or a directory with all that is in it.
func pack(out *tar.Writer, root *os.Root, at, name string, info fs.FileInfo) error {
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = root.Readlink(at); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name = name
	h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "root", "root"
	if info.IsDir() {
		h.Name += "/"
	}
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	switch {
	case info.IsDir():
		entries, err := fs.ReadDir(root.FS(), at)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if err := pack(out, root, path.Join(at, entry.Name()), name+"/"+entry.Name(), info); err != nil {
				return err
			}
		}
	case info.Mode().IsRegular():
		f, err := root.Open(at)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(out, f, h.Size)
		return err
	}
	return nil
}

// writeArchive unpacks an archive into a directory that exists.
func (e *Engine) writeArchive(w http.ResponseWriter, r *http.Request) error {
	p, err := e.place(r)
	if err != nil {
		return err
	}
	defer p.root.Close()
	info, err := p.root.Stat(p.path)
	switch {
	case err != nil:
		return notFound(r, err)
	case !info.IsDir():
		return errors.New("extraction point is not a directory")
	case p.readOnly != "":
		return fmt.Errorf("%s is marked read-only", p.readOnly)
	}
	plain, err := decompress(r.Body)
	if err != nil {
		return err
	}
	u := &unpacking{root: p.root, dir: p.path, keepKind: truth(r, "noOverwriteDirNonDir")}
	if err := u.read(plain); err != nil {
		return fmt.Errorf("Error processing tar file: %w", err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
