package main

import (
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// mount gives the parts a file system of which the machine sees nothing: /proc for
// their own processes, a fresh /run, and directories of the cluster where they insist
// on writing.
func (p place) mount() error {
	type step struct {
		what, from, kind, to string
		flags                uintptr
	}
	steps := []step{
		{"cutting the mounts off", "", "", "/", unix.MS_REC | unix.MS_SLAVE},
		{"sharing them among pods", "", "", "/", unix.MS_REC | unix.MS_SHARED},
		{"mounting /proc", "proc", "proc", "/proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"mounting /run", "run", "tmpfs", "/run", unix.MS_NOSUID | unix.MS_NODEV},
		{"mounting /var/lib", p.path("var/lib"), "", "/var/lib", unix.MS_BIND},
		{"mounting /var/log", p.path("var/log"), "", "/var/log", unix.MS_BIND},
	}
	// The kubelet sets these for the whole machine. Here it gets files to write to.
	for file, value := range map[string]string{"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"} {
		stand := p.path("settings/" + path.Base(file))
		if err := os.WriteFile(stand, []byte(value+"\n"), 0o600); err != nil {
			return err
		}
		steps = append(steps, step{"covering " + file, stand, "", "/proc/sys/" + file, unix.MS_BIND})
	}
	for _, s := range steps {
		if err := unix.Mount(s.from, s.to, s.kind, s.flags, ""); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return os.MkdirAll("/run/lock", 0o755)
}
