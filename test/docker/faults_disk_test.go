//go:build docker

package docker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crash"
)

// An engine whose disk is full can neither pull nor create nor start. Before the old
// gateway is stopped nothing is touched; after that it is put back as soon as there is
// room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	const full = "the engine's disk is full: free space on it"
	for name, test := range map[string]struct {
		padding int64       // of the image, in bytes that do not compress
		point   crash.Point // at which the disk is filled; or none, as the image alone fills it
		exits   []int
	}{
		"pulling":            {padding: 120 << 20, exits: []int{1}},
		"creating rehearsal": {point: crash.Point{Deed: "POST create rehearsal", Nth: 1}, exits: []int{1, 6, 7}},
		"starting":           {point: crash.Point{Deed: "POST start gateway", Nth: 1}, exits: []int{4, 5, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := engineDir(t)
			mount(t, "tmpfs", dir, "tmpfs", 0, "size=250m")
			mount(t, "", dir, "", syscall.MS_SHARED, "")
			o := newOwnEngine(t, dir)
			n := o.world().faulty(image.Options{Padding: test.padding})
			if test.point.Deed == "" {
				r := n.start("upgrade").Wait()
				r.Says(t, "no space left", full)
				mount(t, "", dir, "tmpfs", syscall.MS_REMOUNT, "size=1g")
				n.survives(r, test.exits...)
				return
			}
			m, host := n.middle()
			m.Arm(test.point, crash.Strike{Name: "disk full", Do: func(crash.Victim) { fill(t, dir) }})
			j := n.start("upgrade", "DOCKER_HOST="+host, "AIGW_CI_VERIFY_TIMEOUT=20s")
			m.Meet(crash.Victim{Process: j.Process, Ended: j.Ended})
			for over := false; !over; {
				select {
				case <-j.Ended:
					over = true
				case <-time.After(50 * time.Millisecond):
					over = strings.Contains(j.Log.String(), full) && strings.Contains(j.Log.String(), "trying again")
				}
			}
			if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
				t.Fatal(err)
			}
			r := j.Wait()
			r.Says(t, "no space left", full)
			n.survives(r, test.exits...)
		})
	}
}

// fill leaves no byte on a file system.
func fill(t *testing.T, dir string) {
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 4 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
	}
}
