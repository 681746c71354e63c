package engine

import (
	"net/http"
	"os"
	"slices"
	"strings"

	imageapi "github.com/moby/moby/api/types/image"
)

// removeImage takes a name from an image, and the image with its last name. The
// rules are those of moby, daemon/images/image_delete.go (20.10): the last tag
// of a repository takes the repository's digests with it, and what a container
// uses stays, without a name if forced.
func (e *Engine) removeImage(w http.ResponseWriter, r *http.Request) error {
	ref, force := r.PathValue("name"), truth(r, "force")
	e.mu.Lock()
	defer e.mu.Unlock()
	img, err := e.lookUp(ref)
	if err != nil {
		return err
	}
	var gone []imageapi.DeleteResponse
	byName := !byID(ref, img.id)
	tags, digests := e.keysOf(img.id)
	single := oneReference(tags, digests)
	switch {
	case byName:
		named, err := parseReference(ref)
		if err != nil {
			return err
		}
		if user := e.userOf(img.id, false); user != nil && single && !force {
			return refuse(http.StatusConflict, "conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
				named.key(), short(user.id), short(img.id))
		}
		gone = e.untag(img.id, named.key())
		if tags, digests = e.keysOf(img.id); len(tags)+len(digests) > 0 || e.userOf(img.id, false) != nil {
			return writeJSON(w, http.StatusOK, gone)
		}
	case !single && !force:
		return refuse(http.StatusConflict, "conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories", short(img.id))
	default:
		if user := e.userOf(img.id, true); user != nil {
			return refuse(http.StatusConflict, "conflict: unable to delete %s (cannot be forced) - image is being used by running container %s", short(img.id), short(user.id))
		}
		if user := e.userOf(img.id, false); user != nil && !force {
			return refuse(http.StatusConflict, "conflict: unable to delete %s (must be forced) - image is being used by stopped container %s", short(img.id), short(user.id))
		}
		for _, k := range slices.Concat(tags, digests) {
			delete(e.refs, k)
			gone = append(gone, imageapi.DeleteResponse{Untagged: k})
		}
	}
	delete(e.images, img.id)
	gone = append(gone, imageapi.DeleteResponse{Deleted: img.id})
	for _, layer := range slices.Backward(img.config.RootFS.DiffIDs) {
		gone = append(gone, imageapi.DeleteResponse{Deleted: layer})
	}
	if err := os.RemoveAll(img.dir); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gone)
}

// untag removes one name, and the digests of its repository when it was the
// repository's last tag. e.mu is held.
func (e *Engine) untag(id, key string) []imageapi.DeleteResponse {
	delete(e.refs, key)
	gone := []imageapi.DeleteResponse{{Untagged: key}}
	tags, digests := e.keysOf(id)
	same := func(k string) bool { return repoOf(k) == repoOf(key) }
	if isDigest(key) || slices.ContainsFunc(tags, same) {
		return gone
	}
	for _, d := range digests {
		if same(d) {
			delete(e.refs, d)
			gone = append(gone, imageapi.DeleteResponse{Untagged: d})
		}
	}
	return gone
}

// byID says whether ref is an ID or its beginning rather than a name.
func byID(ref, id string) bool {
	hex := strings.TrimPrefix(ref, "sha256:")
	return idForm.MatchString(hex) && strings.HasPrefix(id, "sha256:"+hex)
}

// oneReference says whether an image has at most one tag, and digests of that
// repository only.
func oneReference(tags, digests []string) bool {
	all := slices.Concat(tags, digests)
	return len(all) <= 1 || len(tags) <= 1 && !slices.ContainsFunc(all, func(k string) bool { return repoOf(k) != repoOf(all[0]) })
}

// userOf is a container made from an image, or nil. e.mu is held.
func (e *Engine) userOf(id string, running bool) *instance {
	for _, c := range e.containers {
		if c.image == id && (!running || c.running()) {
			return c
		}
	}
	return nil
}

// short is an ID as messages show it.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(len(id), 12)]
}
