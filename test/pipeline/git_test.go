//go:build docker

package pipeline

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gitBackend finds git's own server program.
// Source: git-scm.com/docs/git-http-backend.
func gitBackend(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return "", fmt.Errorf("git --exec-path: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(said)), "git-http-backend")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w\non Debian it is a part of the package git", err)
	}
	return path, nil
}

// withGit serves the repositories below root as GitLab does, at /GROUP/PROJECT.git,
// and everything else from api.
func withGit(root string, api http.Handler) http.Handler {
	backend := &cgi.Handler{Path: shared.backend, Env: []string{
		"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + root,
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, ".git/") {
			backend.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// repository is a working copy.
type repository struct {
	testing.TB
	dir string
}

// newRepository makes one with the default branch main.
func newRepository(t testing.TB, dir string) repository {
	t.Helper()
	r := repository{t, dir}
	r.git("init", "--quiet", "--initial-branch=main", dir)
	return r
}

// git runs git in the repository and returns what it says.
func (r repository) git(args ...string) string {
	r.Helper()
	c := exec.CommandContext(r.Context(), "git", args...)
	if args[0] != "init" {
		c.Dir = r.dir
	}
	c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Alex", "GIT_AUTHOR_EMAIL=alex@example.com", "GIT_COMMITTER_NAME=Alex", "GIT_COMMITTER_EMAIL=alex@example.com")
	said, err := c.CombinedOutput()
	if err != nil {
		r.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return strings.TrimSpace(string(said))
}

// write puts a file into the working copy.
func (r repository) write(name, text string) {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

// commit commits all there is, and returns the commit's SHA.
func (r repository) commit(message string) string {
	r.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", message)
	return r.git("rev-parse", "HEAD")
}
