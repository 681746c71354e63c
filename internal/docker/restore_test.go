package docker

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
)

// household is an engine with a gateway that was set aside and one in its place, which
// does not run. do may refuse what is to be done to them, and is told of everything.
func household(t *testing.T, live, previous container.ContainerState, policy container.RestartPolicyMode, do func(w http.ResponseWriter, deed string)) *Target {
	t.Helper()
	s := newStub()
	here := map[string]map[string]any{
		"live":     {"Id": strings.Repeat("1", 64), "Names": []string{"/gitlab-aigw"}, "State": live},
		"previous": {"Id": strings.Repeat("2", 64), "Names": []string{"/gitlab-aigw" + suffixPrevious}, "State": previous},
	}
	here["live"]["Labels"] = map[string]string{LabelRole: RoleGateway, LabelReplaces: strings.Repeat("2", 64), LabelRestart: "always"}
	s.HandleFunc("GET /containers/json", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, slices.Collect(maps.Values(here)))
	})
	s.fail = func(w http.ResponseWriter, r *http.Request) bool {
		for who, c := range here {
			path, about := strings.CutPrefix(r.URL.Path, "/containers/"+c["Id"].(string))
			switch {
			case !about:
				continue
			case r.Method == http.MethodGet:
				reply(w, http.StatusOK, map[string]any{
					"Id": c["Id"], "Config": map[string]any{}, "NetworkSettings": map[string]any{},
					"HostConfig": map[string]any{"RestartPolicy": map[string]any{"Name": policy}},
				})
			default:
				do(w, r.Method+path+" "+who)
				if r.Method == http.MethodDelete {
					delete(here, who)
				}
			}
			return true
		}
		return false
	}
	s.HandleFunc("POST /containers/nginx/kill", func(w http.ResponseWriter, r *http.Request) {
		do(w, "POST/kill nginx "+r.URL.Query().Get("signal"))
	})
	return NewTarget(s.engine(t, nil), TargetOptions{Container: "gitlab-aigw"})
}

// diary keeps what was done, all of which succeeds.
type diary []string

func (d *diary) keep(w http.ResponseWriter, deed string) {
	*d = append(*d, deed)
	w.WriteHeader(http.StatusNoContent)
}

// Users come first: an engine whose disk is full may not take a restart policy, and
// still start a container.
func TestRestoreStartsFirst(t *testing.T) {
	t.Parallel()
	var done []string
	target := household(t, container.StateCreated, container.StateExited, "no", func(w http.ResponseWriter, deed string) {
		done = append(done, deed)
		if strings.HasPrefix(deed, "POST/update") {
			refuse(w, http.StatusInternalServerError, "no space left on device")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if _, err := target.Restore(context.Background()); err == nil || !strings.Contains(err.Error(), diskFull) {
		t.Errorf("error %v", err)
	}
	if want := []string{"POST/start previous", "POST/update previous"}; !slices.Equal(done, want) {
		t.Errorf("done %q, want %q", done, want)
	}
}

// A restart policy that was never taken is not given back.
func TestRestoreLeavesThePolicy(t *testing.T) {
	t.Parallel()
	var done diary
	target := household(t, container.StateCreated, container.StateExited, "always", done.keep)
	if _, err := target.Restore(context.Background()); err != nil {
		t.Error(err)
	}
	if want := []string{"POST/start previous", "POST/rename live", "POST/rename previous", "DELETE live"}; !slices.Equal(done, want) {
		t.Errorf("done %q, want %q", done, want)
	}
}

// The old gateway whose removal was broken off, because the engine was stopped
// meanwhile, is not put back: the one in its place was proven, and is left alone.
func TestRestoreOfWhatIsHalfRemoved(t *testing.T) {
	t.Parallel()
	var done diary
	target := household(t, container.StateRunning, container.StateDead, "always", done.keep)
	back, err := target.Restore(context.Background())
	if err != nil || back == nil || back.(*handle).id != strings.Repeat("1", 64) {
		t.Errorf("restored %v, %v", back, err)
	}
	if want := []string{"DELETE previous"}; !slices.Equal(done, want) {
		t.Errorf("done %q, want %q", done, want)
	}
}

// A proxy may still send users to a container that a killed run had stopped. It is told
// before anything else is found out; where none can be there it is left in peace.
func TestClearUpTellsTheProxy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		live, previous container.ContainerState
		want           diary
	}{
		{container.StateRunning, container.StateExited, diary{"POST/kill nginx SIGHUP"}},
		{container.StateRunning, container.StateRunning, nil},
		{container.StateExited, container.StateExited, nil},
	} {
		var done diary
		target := household(t, tt.live, tt.previous, "always", done.keep)
		target.options.Reload = []string{"nginx"}
		target.clearUp(context.Background(), "gitlab-aigw")
		if !slices.Equal(done, tt.want) {
			t.Errorf("%s and %s: %q, want %q", tt.live, tt.previous, done, tt.want)
		}
	}
}
