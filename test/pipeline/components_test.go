//go:build docker

package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// components is the project that the components are published from.
type components struct {
	repository        // a working copy
	tag, sha   string // of the release
}

// newComponents publishes the templates as they are here, unchanged. The main branch
// has gone on since, and is broken.
func newComponents(t testing.TB, bare string) components {
	t.Helper()
	version, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	c := components{repository: newRepository(t, filepath.Join(t.TempDir(), "aigw-ci"))}
	c.git("init", "--quiet", "--bare", "--initial-branch=main", bare)
	c.git("remote", "add", "origin", bare)
	c.tag = strings.TrimSpace(string(version))
	c.sha = c.release(c.tag, func(text string) string { return text })
	c.release("0.0.0-next", func(string) string { return "spec:\n  inputs: {}\n---\nbroken: here\n" })
	c.git("push", "--quiet", "origin", "main")
	return c
}

// release publishes the templates under a tag, each with a change, and returns the
// commit's SHA.
func (c components) release(tag string, change func(string) string) (sha string) {
	c.Helper()
	paths, err := filepath.Glob("../../templates/*.yml")
	if err != nil || len(paths) != 4 {
		c.Fatalf("templates: %v, %v", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			c.Fatal(err)
		}
		c.write(filepath.Join("templates", filepath.Base(path)), change(string(text)))
	}
	sha = c.commit("Release " + tag)
	// GitLab finds a commit by its SHA. gitlab-ci-local 4.73, the newest for Node.js
	// 20, asks git for a branch or a tag of that name.
	c.git("push", "--quiet", "origin", "HEAD:refs/tags/"+tag, "HEAD:refs/tags/"+sha)
	return sha
}
