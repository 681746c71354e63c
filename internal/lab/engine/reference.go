package engine

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// reference is an image's name taken apart, in the short form that engines show.
type reference struct {
	repo   string // "127.0.0.1:5000/group/image", "alpine"
	tag    string
	digest string // "sha256:..."
}

var (
	tagForm    = regexp.MustCompile(`^\w[\w.-]{0,127}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	idForm     = regexp.MustCompile(`^[0-9a-f]{1,64}$`)
)

// parseReference reads "repo", "repo:tag", "repo@digest" or "repo:tag@digest".
// No tag is added where there is none.
func parseReference(s string) (reference, error) {
	var r reference
	repo, digest, ok := strings.Cut(s, "@")
	if ok && !digestForm.MatchString(digest) {
		return reference{}, badReference("")
	}
	r.digest = digest
	if i := strings.LastIndexByte(repo, ':'); i > strings.LastIndexByte(repo, '/') {
		repo, r.tag = repo[:i], repo[i+1:]
		if !tagForm.MatchString(r.tag) {
			return reference{}, badReference("")
		}
	}
	_, remainder, _ := strings.Cut(repo, "/")
	if lower := strings.ToLower(remainder); lower != remainder || !strings.Contains(repo, "/") && strings.ToLower(repo) != repo {
		return reference{}, badReference(": repository name must be lowercase")
	}
	if _, err := name.NewRepository(repo, name.WeakValidation); err != nil {
		return reference{}, badReference("")
	}
	repo = strings.TrimPrefix(strings.TrimPrefix(repo, "index."), "docker.io/")
	r.repo = strings.TrimPrefix(repo, "library/")
	return r, nil
}

func badReference(why string) error {
	return refuse(http.StatusBadRequest, "invalid reference format%s", why)
}

// withTag adds the tag that a bare name stands for.
func (r reference) withTag() reference {
	if r.tag == "" && r.digest == "" {
		r.tag = "latest"
	}
	return r
}

// key is the name under which an image is stored; a digest outdoes a tag.
func (r reference) key() string {
	if r.digest != "" {
		return r.repo + "@" + r.digest
	}
	return r.repo + ":" + r.withTag().tag
}

// isDigest tells the two kinds of keys apart.
func isDigest(key string) bool { return strings.Contains(key, "@") }

// repoOf is the repository of a key.
func repoOf(key string) string {
	if repo, _, ok := strings.Cut(key, "@"); ok {
		return repo
	}
	return key[:strings.LastIndexByte(key, ':')]
}
