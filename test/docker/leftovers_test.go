//go:build docker

package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
)

// A night leaves one container and the images that it may need again, whether it
// ends well or not: no containers, volumes or networks. The test is not parallel, so
// that what is there is its own.
func TestLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.mirror(image.Options{Tag: tag182}, image.Options{Tag: tag183}, image.Options{Tag: tag184, Mode: gateway.CrashAtBoot})
	exposed, bindings := publish("127.0.0.1:"+w.port, "5052")
	w.dockerRun(w.name, object{
		"Image": w.pull(tag182), "Env": w.environment(), "ExposedPorts": exposed,
		"Volumes":    object{"/data": object{}, "/tmp": object{}},
		"HostConfig": object{"PortBindings": bindings},
	})
	before := w.everything()
	for _, night := range []struct {
		version string
		exit    int
		outcome string
	}{
		{"18.3.6-ee", 0, "upgraded"},
		{"18.3.6-ee", 0, "unchanged"},
		{"18.4.2-ee", 4, "rejected"},
	} {
		w.estate.SetVersion(night.version)
		w.run("upgrade", night.exit, night.outcome)
		after := w.everything()
		for _, thing := range slices.Sorted(maps.Keys(after)) {
			if !before[thing] {
				t.Errorf("%s left %s", night.outcome, thing)
			}
		}
		for _, thing := range slices.Sorted(maps.Keys(before)) {
			if !after[thing] && !strings.HasPrefix(thing, "image") { // of a run that was killed before
				t.Errorf("%s took %s away", night.outcome, thing)
			}
		}
	}
}

// everything is what is on the engine, by kind and name; of images, those that the
// program made for itself.
func (w *world) everything() map[string]bool {
	w.Helper()
	found := make(map[string]bool)
	for kind, list := range map[string]func(context.Context) ([]dockerd.Listed, error){
		"container": w.Containers, "volume": w.Volumes, "network": w.Networks, "image": w.Images,
	} {
		things, err := list(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		for _, l := range things {
			if kind != "image" || l.Labels["aigw-ci.role"] != "" {
				found[fmt.Sprint(kind, " ", l.Name, l.Names)] = true
			}
		}
	}
	return found
}
