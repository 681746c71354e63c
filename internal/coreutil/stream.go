package coreutil

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// cat copies files, or standard input, to standard output.
func cat(_ context.Context, p Process, _ options, args []string) error {
	if len(args) == 0 {
		args = []string{"-"}
	}
	return each(args, func(name string) error {
		if name == "-" {
			_, err := io.Copy(p.Stdout, p.Stdin)
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(p.Stdout, f)
		return err
	})
}

// tee copies standard input to standard output and to files.
func tee(_ context.Context, p Process, on options, args []string) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if on.has("a") {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	out := []io.Writer{p.Stdout}
	var files []*os.File
	err := each(args, func(name string) error {
		f, err := os.OpenFile(name, flags, 0o666)
		if err == nil {
			files = append(files, f)
			out = append(out, f)
		}
		return err
	})
	_, copied := io.Copy(io.MultiWriter(out...), p.Stdin)
	err = errors.Join(err, copied)
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// touch makes files and sets their times to now.
func touch(_ context.Context, _ Process, on options, args []string) error {
	if err := atLeast(1, args, "file"); err != nil {
		return err
	}
	now := time.Now()
	return each(args, func(name string) error {
		err := os.Chtimes(name, now, now)
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if on.has("c") {
			return nil
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		return f.Close()
	})
}
