package engine

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{
		"alpine", "alpine:3", "docker.io/library/alpine", "127.0.0.1:5000/group/gateway:self-hosted-v18.2.1-ee",
		"r.example.com/g/i@sha256:" + strings.Repeat("a", 64), "r.example.com/g/i:1@sha256:" + strings.Repeat("0", 64),
		"BAD", ":", "@", "a:", "a@sha256:", "a//b", strings.Repeat("a", 300),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseReference(s)
		if err != nil {
			return
		}
		again, err := parseReference(r.key())
		if err != nil {
			t.Fatalf("%q is stored as %q, which cannot be read: %v", s, r.key(), err)
		}
		if again.key() != r.key() || again.repo != repoOf(r.key()) || isDigest(r.key()) != (r.digest != "") {
			t.Errorf("%q is stored as %q and read as %+v", s, r.key(), again)
		}
	})
}

// FuzzUnpack builds archives of two entries out of any names, and wants nothing
// to change beside the directory they are unpacked to.
func FuzzUnpack(f *testing.F) {
	f.Add("a", byte(tar.TypeSymlink), "../beside", "a/secret", byte(tar.TypeReg), "", true)
	f.Add("a", byte(tar.TypeSymlink), "/etc", "a/.wh.passwd", byte(tar.TypeReg), "", true)
	f.Add("../beside/secret", byte(tar.TypeReg), "", "..", byte(tar.TypeDir), "", false)
	f.Add("x", byte(tar.TypeLink), "../beside/secret", "x", byte(tar.TypeReg), "", false)
	f.Add(".wh..wh..opq", byte(tar.TypeReg), "", ".wh...", byte(tar.TypeReg), "", true)
	f.Fuzz(func(t *testing.T, name1 string, kind1 byte, link1, name2 string, kind2 byte, link2 string, layer bool) {
		dir := t.TempDir()
		secret := filepath.Join(dir, "beside", "secret")
		in := filepath.Join(dir, "in")
		for _, d := range []string{filepath.Dir(secret), in} {
			if err := os.Mkdir(d, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, h := range []*tar.Header{{Name: name1, Typeflag: kind1, Linkname: link1, Mode: 0o644}, {Name: name2, Typeflag: kind2, Linkname: link2, Mode: 0o644}} {
			if w.WriteHeader(h) != nil {
				return // not an archive
			}
		}
		w.Close()
		root, err := os.OpenRoot(in)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		u := &unpacking{root: root, dir: ".", layer: layer}
		_ = u.read(&buf) // that it fails is fine; what it leaves is the question
		if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
			t.Errorf("the file beside is %q, error %v", b, err)
		}
		for d, want := range map[string]int{dir: 2, filepath.Dir(secret): 1} {
			if entries, err := os.ReadDir(d); err != nil || len(entries) != want {
				t.Errorf("in %s there is %v, error %v", d, entries, err)
			}
		}
	})
}
