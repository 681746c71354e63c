package docker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"

	"aigw-ci/internal/version"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ports    []string
		others   []string
		env      []string
		from, to version.Line
		want     []string // all bindings afterwards
		note     string
	}{
		"beside the HTTP port":        {ports: []string{"5052:5052"}, from: line183, to: line184, want: []string{"5052/tcp=:5052", "50052/tcp=:50052"}, note: "port 50052 will be published"},
		"on the same address":         {ports: []string{"127.0.0.1:80:5052"}, from: line183, to: line184, want: []string{"5052/tcp=127.0.0.1:80", "50052/tcp=127.0.0.1:50052"}, note: "will be published"},
		"on both addresses":           {ports: []string{"127.0.0.1:1:5052", "127.0.0.2:1:5052"}, from: line183, to: line189, want: []string{"5052/tcp=127.0.0.1:1", "5052/tcp=127.0.0.2:1", "50052/tcp=127.0.0.1:50052", "50052/tcp=127.0.0.2:50052"}, note: "will be published"},
		"published already":           {ports: []string{"5052:5052", "9:50052"}, from: line183, to: line184, want: []string{"5052/tcp=:5052", "50052/tcp=:9"}},
		"nothing is published":        {from: line183, to: line184},
		"only something else is":      {ports: []string{"8082:8082"}, from: line183, to: line184, want: []string{"8082/tcp=:8082"}, note: "does not publish port 50052"},
		"before there was one":        {ports: []string{"5052:5052"}, from: line175, to: line183, want: []string{"5052/tcp=:5052"}},
		"a choice of the user's":      {ports: []string{"5052:5052"}, from: line184, to: line188, want: []string{"5052/tcp=:5052"}, note: "does not publish port 50052"},
		"from an unknown line":        {ports: []string{"5052:5052"}, to: line184, want: []string{"5052/tcp=:5052"}, note: "does not publish port 50052"},
		"turned off":                  {ports: []string{"5052:5052"}, env: []string{"ENABLE_DUO_WORKFLOW_SERVICE=false"}, from: line183, to: line184, want: []string{"5052/tcp=:5052"}},
		"ports of its own":            {ports: []string{"5052:8000"}, env: []string{"AIGW_FASTAPI__API_PORT=8000", "PORT=9000"}, from: line183, to: line184, want: []string{"8000/tcp=:5052", "9000/tcp=:9000"}, note: "port 9000"},
		"taken":                       {ports: []string{"5052:5052"}, others: []string{"50052:1"}, from: line183, to: line184, want: []string{"5052/tcp=:5052"}, note: "because container other has it"},
		"taken on that address":       {ports: []string{"127.0.0.1:5052:5052"}, others: []string{"50052:1"}, from: line183, to: line184, want: []string{"5052/tcp=127.0.0.1:5052"}, note: "has it"},
		"taken on another address":    {ports: []string{"127.0.0.1:5052:5052"}, others: []string{"127.0.0.2:50052:1"}, from: line183, to: line184, want: []string{"5052/tcp=127.0.0.1:5052", "50052/tcp=127.0.0.1:50052"}, note: "will be published"},
		"taken by the gateway itself": {ports: []string{"50052:5052"}, from: line183, to: line184, want: []string{"5052/tcp=:50052"}, note: "the gateway itself"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := recipeWith(test.env...)
			r.HostConfig.PortBindings = bound(test.ports...)
			other := inspected(t, func(c *container.InspectResponse) {
				c.ID, c.Name, c.HostConfig.PortBindings = strings.Repeat("0", 64), "/other", bound(test.others...)
			})
			found := r.Publish(test.from, test.to, []Inspected{other})
			var got []string
			for port, bindings := range r.HostConfig.PortBindings {
				for _, b := range bindings {
					ip := ""
					if b.HostIP.IsValid() {
						ip = b.HostIP.String()
					}
					got = append(got, fmt.Sprintf("%s=%s:%s", port, ip, b.HostPort))
				}
				if _, exposed := r.Config.ExposedPorts[port]; strings.Contains(test.note, "will be") && port != r.port("AIGW_FASTAPI__API_PORT", 5052) && !exposed {
					t.Errorf("%s is not exposed", port)
				}
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if text := strings.Join(found.Notes, "\n"); len(found.Notes) > 1 || test.note == "" && text != "" || !strings.Contains(text, test.note) {
				t.Errorf("notes %q, want %q", text, test.note)
			}
			if found := r.Publish(test.to, test.to, nil); strings.Contains(test.note, "will be") && len(found.Notes) != 0 {
				t.Errorf("the same again: %q", found.Notes)
			}
		})
	}
}
