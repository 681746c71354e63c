package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// clearLeftovers removes what the kernel does not, or not at once: the cable, the
// directories and the control groups of clusters. Who calls it holds the lock, so there is no cluster, and they
// are of this run or of one that was killed.
func clearLeftovers() error {
	disconnect()
	directories, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return err
	}
	for _, d := range directories {
		err := os.RemoveAll(d)
		for range 50 { // a mount may take a moment to go with its namespace
			if err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
			err = os.RemoveAll(d)
		}
		if err != nil {
			return fmt.Errorf("removing a cluster's directory: %w", err)
		}
	}
	// With version 1 each controller has a tree of its own.
	for _, pattern := range []string{"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/*/kubepods"} {
		groups, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := removeGroups(g); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeGroups removes a tree of control groups in which there is no process, as those
// of a cluster that is gone soon are.
func removeGroups(root string) error {
	var groups []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for range 50 {
		if !slices.ContainsFunc(groups, inUse) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if slices.ContainsFunc(groups, inUse) {
		return fmt.Errorf("there are pods in %s that are not of a cluster of tests\nthis machine is a Kubernetes node, and cannot be another one", root)
	}
	for _, g := range slices.Backward(groups) {
		if err := syscall.Rmdir(g); err != nil {
			return fmt.Errorf("removing the control group %s: %w", g, err)
		}
	}
	return nil
}

// inUse reports whether there is a process in a control group.
func inUse(group string) bool {
	processes, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	return err == nil && len(processes) > 0
}
