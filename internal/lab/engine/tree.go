package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks bounds the symbolic links followed for one path, as the kernel does.
const maxLinks = 40

// inside follows the symbolic links of p as a process that sees root as "/"
// would: an absolute target starts at root again, and ".." stops there. The
// result has no links left and is relative to root; parts that do not exist are
// kept as they are.
func inside(root *os.Root, p string) (string, error) {
	done, left, links := ".", strings.Split(p, "/"), 0
	for len(left) > 0 {
		name := left[0]
		left = left[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, name)
		info, err := root.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			done = next
			continue
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink == 0:
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: p, Err: syscall.ELOOP}
		}
		target, err := root.Readlink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			done = "."
		}
		left = append(strings.Split(target, "/"), left...)
	}
	return done, nil
}

// cloneTree makes dst a copy of the directory src whose files are hard links:
// cheap at any size. It holds as long as nobody writes into a file in place,
// and the engine itself always replaces.
func cloneTree(src, dst string) error {
	err := filepath.WalkDir(src, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, p)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		switch {
		case d.IsDir():
			info, err := d.Info()
			if err != nil {
				return err
			}
			return os.MkdirAll(to, info.Mode().Perm())
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		}
		return os.Link(p, to)
	})
	if err != nil {
		return fmt.Errorf("copying the image's files: %w", err)
	}
	return nil
}
