package docker

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"aigw-ci/internal/upgrade"
)

// A mistyped docker.container must not put an end to something else.
func TestPlanLeavesWhatIsNoGatewayAlone(t *testing.T) {
	t.Parallel()
	for image, refused := range map[string]bool{
		"postgres:16":                           true,
		"registry.example.com/team/aigw-copy:1": true, // only looks like the repository below
		"registry.example.com/team/aigw:1":      false,
		"registry.example.com/team/aigw@sha256:" + strings.Repeat("a", 64): false,
		"gitlab/model-gateway:self-hosted-v18.2.8-ee":                      false,
	} {
		s := newStub()
		s.fail = func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case strings.HasPrefix(r.URL.Path, "/images/"):
				refuse(w, http.StatusNotFound, "No such image")
			case r.URL.Path == "/containers/json":
				reply(w, http.StatusOK, []any{})
			default:
				return false
			}
			return true
		}
		target := NewTarget(s.engine(t, nil), TargetOptions{Container: "db", Repositories: []string{"registry.example.com/team/aigw"}})
		old := Inspected{InspectResponse: container.InspectResponse{
			ID: strings.Repeat("b", 64), Name: "/db", Image: "sha256:" + strings.Repeat("c", 64),
			Config: &container.Config{Image: image}, HostConfig: &container.HostConfig{}, NetworkSettings: &container.NetworkSettings{},
		}}
		seen := upgrade.Observation{
			Current: &upgrade.Instance{ID: old.ID, Image: image},
			Detail:  &scene{family: family{name: "db", live: &member{id: old.ID, name: "db"}}, old: &old},
		}
		_, err := target.Plan(t.Context(), seen, testImage)
		var refusal *upgrade.RefusedError
		if !errors.As(err, &refusal) { // the missing image is a refusal of its own, so there always is one
			t.Errorf("%s: error %v", image, err)
			continue
		}
		if got := strings.Contains(err.Error(), "which is no gateway image"); got != refused {
			t.Errorf("%s: taken for something else: %v, want %v\n%v", image, got, refused, err)
		}
	}
}
