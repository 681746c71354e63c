//go:build docker

package docker

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// engineDir is a folder for an engine. A test's own has too long a name for sockets,
// and is emptied before what is mounted in it is gone.
func engineDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "aigw-own-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		detach(dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
	// As under a service manager: what is mounted in it can be seen, and unmounted, by
	// the engine after a restart. Source: systemd.exec(5), "shared" propagation.
	mount(t, dir, dir, "", syscall.MS_BIND, "")
	mount(t, "", dir, "", syscall.MS_SHARED, "")
	return dir
}

func mount(t testing.TB, what, at, kind string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount(what, at, kind, flags, options); err != nil {
		t.Fatalf("mounting %s: %v", at, err)
	}
}

// detach unmounts dir and everything in it, the innermost first. An engine that was killed
// leaves its containers' file systems mounted.
func detach(dir string) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return
	}
	defer mounts.Close()
	var points []string
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// "36 35 98:0 /mnt1 /mnt2 rw,noatime ...": proc_pid_mountinfo(5).
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && (fields[4] == dir || strings.HasPrefix(fields[4], dir+"/")) {
			points = append(points, fields[4])
		}
	}
	for _, point := range slices.Backward(points) {
		_ = syscall.Unmount(point, syscall.MNT_DETACH)
	}
}
