package jobimage

import (
	"io/fs"

	"aigw-ci/internal/coreutil"
)

// User is the number of the image's user and group. Numbers, because Kubernetes
// does not believe in names when it is told runAsNonRoot; this one, because it is
// what images of this kind have.
const (
	User = 65532
	home = "home/aigw-ci"
)

const passwd = `root:x:0:0:root:/root:/bin/sh
aigw-ci:x:65532:65532:aigw-ci:/home/aigw-ci:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/sh
`

const group = `root:x:0:
aigw-ci:x:65532:
nobody:x:65534:
`

// system is what is in the image beside aigw-ci. The runner brings /builds and
// /cache; a job of another user than ours writes below /tmp.
func system(shell []byte) []entry {
	entries := []entry{
		{path: "bin", mode: fs.ModeDir | 0o755},
		{path: "bin/sh", mode: 0o755, data: shell},
		{path: "etc", mode: fs.ModeDir | 0o755},
		{path: "etc/group", mode: 0o644, data: []byte(group)},
		{path: "etc/passwd", mode: 0o644, data: []byte(passwd)},
		{path: "etc/ssl", mode: fs.ModeDir | 0o755},
		{path: "etc/ssl/certs", mode: fs.ModeDir | 0o755},
		{path: rootsFile, mode: 0o644, data: authorities()},
		{path: "home", mode: fs.ModeDir | 0o755},
		{path: home, mode: fs.ModeDir | 0o755, uid: User},
		{path: "root", mode: fs.ModeDir | 0o700},
		{path: "tmp", mode: fs.ModeDir | fs.ModeSticky | 0o777},
	}
	for _, name := range coreutil.Names() {
		entries = append(entries, entry{path: "bin/" + name, mode: 0o777, link: "sh"})
	}
	return entries
}

// program is aigw-ci. In a layer of its own, it is all that a new version pulls.
func program(aigwCI []byte) []entry {
	return []entry{
		{path: "usr", mode: fs.ModeDir | 0o755},
		{path: "usr/bin", mode: fs.ModeDir | 0o755},
		{path: "usr/bin/aigw-ci", mode: 0o755, data: aigwCI},
	}
}
