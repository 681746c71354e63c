package coreutil

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"
)

// env prints the environment.
func env(_ context.Context, p Process, _ options, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: it only prints; set variables with export", errUsage)
	}
	for _, variable := range p.Environ {
		fmt.Fprintln(p.Stdout, variable)
	}
	return nil
}

// id prints the user's and the group's number; there are no names to look up.
func id(_ context.Context, p Process, on options, _ []string) error {
	switch {
	case on.has("u"):
		fmt.Fprintln(p.Stdout, os.Geteuid())
	case on.has("g"):
		fmt.Fprintln(p.Stdout, os.Getegid())
	default:
		fmt.Fprintf(p.Stdout, "uid=%d gid=%d\n", os.Geteuid(), os.Getegid())
	}
	return nil
}

// sleep waits: seconds, or a number with s, m or h.
func sleep(ctx context.Context, _ Process, _ options, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%w: how many seconds?", errUsage)
	}
	duration, err := time.ParseDuration(args[0])
	if err != nil {
		seconds, err := strconv.ParseFloat(args[0], 64)
		if err != nil || seconds < 0 || seconds > 1e9 {
			return fmt.Errorf("%w: %q is no number of seconds", errUsage, args[0])
		}
		duration = time.Duration(seconds * float64(time.Second))
	}
	select {
	case <-time.After(duration):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// crossDevice reports that a file cannot be renamed into another file system.
func crossDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }

// owners are the numbers of a file's user and group.
func owners(info fs.FileInfo) (uid, gid uint32, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return stat.Uid, stat.Gid, true
}
