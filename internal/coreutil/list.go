package coreutil

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ls lists names, one per line: -a and -A with the hidden ones, -d a directory
// instead of what is in it, -l with mode, size and time, -r backwards, -v with
// numbers in the order of numbers.
func ls(_ context.Context, p Process, on options, args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	var names, directories []string
	err := each(args, func(name string) error {
		info, err := os.Lstat(name)
		if err != nil {
			return err
		}
		if info.IsDir() && !on.has("d") {
			directories = append(directories, name)
		} else {
			names = append(names, name)
		}
		return nil
	})
	show(p, on, "", names)
	for i, directory := range directories {
		if len(args) > 1 {
			if i > 0 || len(names) > 0 {
				fmt.Fprintln(p.Stdout)
			}
			fmt.Fprintf(p.Stdout, "%s:\n", directory)
		}
		entries, readErr := os.ReadDir(directory)
		if readErr != nil {
			return readErr
		}
		var in []string
		for _, entry := range entries {
			if on.has("aA") || !strings.HasPrefix(entry.Name(), ".") {
				in = append(in, entry.Name())
			}
		}
		show(p, on, directory, in)
	}
	return err
}

// show prints names of a directory in the order that was asked for.
func show(p Process, on options, directory string, names []string) {
	order := strings.Compare
	if on.has("v") {
		order = compareNumbers
	}
	slices.SortFunc(names, order)
	if on.has("r") {
		slices.Reverse(names)
	}
	for _, name := range names {
		if !on.has("l") {
			fmt.Fprintln(p.Stdout, name)
			continue
		}
		info, err := os.Lstat(filepath.Join(directory, name))
		if err != nil {
			continue // gone since it was listed
		}
		fmt.Fprintf(p.Stdout, "%s %s %10d %s %s\n", info.Mode(), owner(info), info.Size(), info.ModTime().UTC().Format(time.DateTime), name)
	}
}

// owner is the number of the user a file belongs to, and of its group.
func owner(info fs.FileInfo) string {
	uid, gid, ok := owners(info)
	if !ok {
		return "?"
	}
	return fmt.Sprintf("%d:%d", uid, gid)
}

// compareNumbers puts "9" before "10": runs of digits are compared as numbers.
func compareNumbers(a, b string) int {
	for a != "" && b != "" {
		an, bn := digits(a), digits(b)
		if an == "" || bn == "" {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		at, bt := strings.TrimLeft(an, "0"), strings.TrimLeft(bn, "0")
		if c := cmp.Or(cmp.Compare(len(at), len(bt)), strings.Compare(at, bt)); c != 0 {
			return c
		}
		a, b = a[len(an):], b[len(bn):]
	}
	return cmp.Compare(len(a), len(b))
}

// digits are the digits s begins with.
func digits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}
