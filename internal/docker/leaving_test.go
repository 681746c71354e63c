package docker

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// A lock whose removal was broken off, because the engine was stopped meanwhile, cannot
// be read any more. It is nobody's.
func TestLockThatIsHalfRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStub()
		die(s, t)
		dead := s.ids()[0]
		s.fail = func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.Method != http.MethodGet:
				return false
			case r.URL.Path == "/containers/"+dead+"/archive":
				refuse(w, http.StatusInternalServerError, "driver overlay2 is returning inconsistent paths")
			case strings.HasSuffix(r.URL.Path, "/json") && slices.Contains(s.ids(), dead):
				reply(w, http.StatusOK, map[string]any{
					"Id": dead, "Name": "/" + lockName, "State": map[string]any{"Status": "dead", "Dead": true},
					"Config": map[string]any{"Labels": map[string]string{LabelRole: RoleLock}},
				})
			default:
				return false
			}
			return true
		}
		_, release, err := take(s.engine(t, nil), "the next job")
		if err != nil {
			t.Fatal(err)
		}
		if ids := s.ids(); len(ids) != 1 || ids[0] == dead {
			t.Errorf("locks %v; the one that was half removed is %s", ids, dead)
		}
		if err := release(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// ids are the containers there are.
func (s *stubEngine) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.containers))
}
