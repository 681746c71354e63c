package coreutil

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// mkdir makes directories; -p also those above them, and is content with what is there.
func mkdir(_ context.Context, _ Process, on options, args []string) error {
	if err := atLeast(1, args, "directory"); err != nil {
		return err
	}
	make := os.Mkdir
	if on.has("p") {
		make = os.MkdirAll
	}
	return each(args, func(name string) error { return make(name, 0o777) })
}

// rm removes files; -r also directories, -f is content when there is nothing.
func rm(_ context.Context, _ Process, on options, args []string) error {
	if !on.has("f") {
		if err := atLeast(1, args, "file"); err != nil {
			return err
		}
	}
	return each(args, func(name string) error {
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && on.has("f"):
			return nil
		case err != nil:
			return err
		case info.IsDir() && !on.has("rR"):
			return fmt.Errorf("%s is a directory", name)
		case filepath.Clean(name) == "/":
			return errors.New("/ stays")
		}
		return os.RemoveAll(name)
	})
}

// chmod sets modes, in octal.
func chmod(_ context.Context, _ Process, on options, args []string) error {
	if err := atLeast(2, args, "mode and file"); err != nil {
		return err
	}
	bits, err := strconv.ParseUint(args[0], 8, 9)
	if err != nil {
		return fmt.Errorf("%w: %q is no mode; write it like 755", errUsage, args[0])
	}
	mode := fs.FileMode(bits)
	return each(args[1:], func(name string) error {
		if !on.has("R") {
			return os.Chmod(name, mode)
		}
		return filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Type()&fs.ModeSymlink != 0 {
				return err
			}
			return os.Chmod(path, mode)
		})
	})
}

// mv renames files, across file systems by copying them.
func mv(_ context.Context, _ Process, _ options, args []string) error {
	return onto(args, func(from, to string) error {
		if err := os.Rename(from, to); err == nil || !crossDevice(err) {
			return err
		}
		if err := copyTree(from, to); err != nil {
			return err
		}
		return os.RemoveAll(from)
	})
}

// cp copies files; -r also directories. Modes are kept, as far as the umask lets them.
func cp(_ context.Context, _ Process, on options, args []string) error {
	return onto(args, func(from, to string) error {
		info, err := os.Stat(from)
		switch {
		case err != nil:
			return err
		case info.IsDir() && !on.has("rR"):
			return fmt.Errorf("%s is a directory", from)
		case info.IsDir():
			return copyTree(from, to)
		}
		return copyFile(from, to, info.Mode())
	})
}

// onto pairs sources with where they go: the last argument, or a place in it when
// it is a directory.
func onto(args []string, do func(from, to string) error) error {
	if err := atLeast(2, args, "file, and where to"); err != nil {
		return err
	}
	sources, target := args[:len(args)-1], args[len(args)-1]
	info, err := os.Stat(target)
	into := err == nil && info.IsDir()
	if len(sources) > 1 && !into {
		return fmt.Errorf("%s is no directory", target)
	}
	return each(sources, func(from string) error {
		if into {
			return do(from, filepath.Join(target, filepath.Base(from)))
		}
		return do(from, target)
	})
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, below)
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(target, info.Mode().Perm()|0o700) // to be able to fill it
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		return copyFile(path, target, info.Mode())
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode.Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
