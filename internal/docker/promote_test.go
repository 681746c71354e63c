package docker

import (
	"maps"
	"strings"
	"testing"

	"aigw-ci/internal/upgrade"
)

// A rollback that changes a setting of the gateway it came to has to stay there when it
// is asked once more, and not go forward to what it left.
func TestRemember(t *testing.T) {
	t.Parallel()
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	image := func(c string) string { return "registry.example.com/model-gateway@" + digest(c) }
	for name, tt := range map[string]struct {
		old      map[string]string
		previous string
		back     bool
		want     map[string]string
	}{
		"upgraded":                   {old: map[string]string{LabelPrevious: image("1")}, previous: image("2"), want: map[string]string{LabelPrevious: image("2")}},
		"rolled back":                {old: map[string]string{LabelPrevious: image("3")}, previous: image("2"), back: true, want: map[string]string{LabelPrevious: image("2"), LabelBack: "true"}},
		"forward again":              {old: map[string]string{LabelPrevious: image("1"), LabelBack: "true"}, previous: image("2"), want: map[string]string{LabelPrevious: image("2")}},
		"other settings":             {old: map[string]string{LabelPrevious: image("1")}, previous: image("3"), want: map[string]string{LabelPrevious: image("1")}},
		"other settings of a return": {old: map[string]string{LabelPrevious: image("1"), LabelBack: "true"}, previous: image("3"), want: map[string]string{LabelPrevious: image("1"), LabelBack: "true"}},
		"other settings of an only":  {previous: image("3")},
		"of an image without digest": {previous: "model-gateway:latest", want: map[string]string{LabelPrevious: "model-gateway:latest"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := map[string]string{}
			remember(got, tt.old, tt.previous, upgrade.Plan{Image: upgrade.Image{Digest: digest("3")}, Back: tt.back})
			if !maps.Equal(got, tt.want) {
				t.Errorf("remembers %v, want %v", got, tt.want)
			}
		})
	}
}
