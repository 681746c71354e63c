package docker

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
)

// Somebody removed the name under which an image was pulled. A container that was made
// by that name runs what had it, all the same.
func TestDigestWhoseNameIsGone(t *testing.T) {
	t.Parallel()
	id, digest := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	for name, image := range map[string]func(w http.ResponseWriter){
		"image kept": func(w http.ResponseWriter) { reply(w, http.StatusOK, map[string]any{"Id": id}) },
		"image gone": func(w http.ResponseWriter) { refuse(w, http.StatusNotFound, "No such image") },
	} {
		s := newStub()
		s.HandleFunc("GET /images/{id}/json", func(w http.ResponseWriter, _ *http.Request) { image(w) })
		found, err := s.engine(t, nil).digests(t.Context(), container.InspectResponse{
			Image: id, Config: &container.Config{Image: "registry.example.com/model-gateway:self-hosted-v18.2.1-ee@" + digest},
		})
		if err != nil || !slices.Contains(found, digest) || !slices.Contains(found, id) {
			t.Errorf("%s: %q, %v", name, found, err)
		}
	}
}
