package engine

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
)

// containerSummary is a container in the list of API 1.41.
type containerSummary struct {
	container.Summary
	Ports           []portSummary
	NetworkSettings struct{ Networks map[string]endpointJSON }
}

// portSummary leaves the address out where there is none, as Docker does.
type portSummary struct {
	IP          string `json:"IP,omitempty"`
	PrivatePort uint16
	PublicPort  uint16 `json:"PublicPort,omitempty"`
	Type        string
}

// listContainers shows the running containers, newest first, or all of them.
func (e *Engine) listContainers(w http.ResponseWriter, r *http.Request) error {
	want, err := readFilters(r, "id", "name", "label", "status", "network")
	if err != nil {
		return err
	}
	all := truth(r, "all") || len(want["status"]) > 0
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []containerSummary{}
	newest := func(a, b *instance) int { return b.created.Compare(a.created) }
	for _, c := range slices.SortedFunc(maps.Values(e.containers), newest) {
		if (all || c.running()) && e.fits(c, want) {
			out = append(out, e.summary(c))
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

func (e *Engine) fits(c *instance, want filters) bool {
	onNetwork := len(want["network"]) == 0 || slices.ContainsFunc(want["network"], func(n string) bool {
		return c.endpoints[e.networkName(n)] != nil
	})
	return onNetwork && want.id(c.id) && want.name(c.name) && want.labels(c.config.Labels) && want.one("status", string(c.state.status))
}

// summary is a container's line in the list. e.mu is held.
func (e *Engine) summary(c *instance) containerSummary {
	program, args := c.path()
	out := containerSummary{Summary: container.Summary{
		ID: c.id, Names: []string{"/" + c.name}, Image: e.imageShown(c), ImageID: c.image,
		Command: strings.Join(append([]string{program}, args...), " "), Created: c.created.Unix(),
		Labels: c.config.Labels, State: c.state.status, Status: statusText(c.state, time.Now()), Mounts: mountPoints(c),
	}, Ports: []portSummary{}}
	out.HostConfig.NetworkMode = string(c.host.NetworkMode)
	out.NetworkSettings.Networks = e.showNetworks(c).Networks
	for _, p := range c.ports.summaries() {
		s := portSummary{PrivatePort: p.PrivatePort, PublicPort: p.PublicPort, Type: p.Type}
		if p.IP.IsValid() {
			s.IP = p.IP.String()
		}
		out.Ports = append(out.Ports, s)
	}
	return out
}

// imageShown is the name a container was made with while it still names the
// same image, and the image's ID afterwards.
func (e *Engine) imageShown(c *instance) string {
	if img, err := e.lookUp(c.config.Image); err == nil && img.id == c.image {
		return c.config.Image
	}
	return c.image
}

// statusText is a state in words.
func statusText(s state, now time.Time) string {
	switch s.status {
	case container.StateRunning:
		return "Up " + ago(now.Sub(s.started))
	case container.StateRestarting:
		return fmt.Sprintf("Restarting (%d) %s ago", s.exitCode, ago(now.Sub(s.finished)))
	case container.StateExited:
		return fmt.Sprintf("Exited (%d) %s ago", s.exitCode, ago(now.Sub(s.finished)))
	}
	return "Created"
}

// ago is a duration in its largest unit.
func ago(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		switch n := int(d / u.size); {
		case n == 1:
			return "1 " + u.name
		case n > 1:
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return "Less than a second"
}
