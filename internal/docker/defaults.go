package docker

import (
	"maps"
	"reflect"
	"slices"
	"time"

	imagespec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// ImageConfig is what an image provides by itself. The engine merges it into a
// container's settings when the container is made, and from then on shows only
// the sum. withoutDefaults and withDefaults are that merge, backwards and forwards.
type ImageConfig = imagespec.DockerOCIImageConfig

// withoutDefaults takes out of a container's settings what its image provides, and
// completes origin with what is left. What origin already names stays, also when
// it equals the image's own.
func withoutDefaults(c *container.Config, ports network.PortMap, image ImageConfig, origin *Origin) {
	c.Env = slices.DeleteFunc(variables(c.Env), func(entry string) bool {
		return slices.Contains(image.Env, entry) && !slices.Contains(origin.Environment, nameOf(entry))
	})
	origin.Environment = variables(c.Env).names()

	set := origin.Settings
	origin.Settings = nil
	keep := func(setting string, differs bool) bool {
		if differs || slices.Contains(set, setting) {
			origin.Settings = append(origin.Settings, setting)
			return true
		}
		return false
	}

	// The image's command applies only where the user gave no entrypoint. So no
	// command where the image has one says that an entrypoint was given, even if it
	// equals the image's.
	ownCommand := !slices.Equal(c.Cmd, image.Cmd)
	entrypoint := !slices.Equal(c.Entrypoint, image.Entrypoint) || ownCommand && len(c.Cmd) == 0
	switch {
	case keep("entrypoint", entrypoint):
		keep("command", len(c.Cmd) > 0)
		if len(c.Entrypoint) == 0 {
			c.Entrypoint = []string{""} // how the API says "none, also not the image's"
		}
	case keep("command", ownCommand):
		c.Entrypoint = nil
	default:
		c.Entrypoint, c.Cmd = nil, nil
	}
	if !keep("stopsignal", c.StopSignal != image.StopSignal) {
		c.StopSignal = ""
	}
	if !keep("user", c.User != image.User) {
		c.User = ""
	}
	if !keep("workdir", c.WorkingDir != image.WorkingDir) {
		c.WorkingDir = ""
	}
	slices.Sort(origin.Settings)

	c.Healthcheck = healthWithout(c.Healthcheck, image.Healthcheck)
	maps.DeleteFunc(c.Labels, func(name, value string) bool {
		provided, ok := image.Labels[name]
		return ok && provided == value
	})
	maps.DeleteFunc(c.Volumes, func(path string, _ struct{}) bool { _, ok := image.Volumes[path]; return ok })
	maps.DeleteFunc(c.ExposedPorts, func(port network.Port, _ struct{}) bool {
		_, provided := image.ExposedPorts[port.String()]
		_, published := ports[port] // "docker run -p" exposes what it publishes
		return provided && !published
	})
}

// withDefaults merges what an image provides into a container's settings, as the
// engine does. Source: moby, daemon/commit.go, merge; seen on 20.10.
func withDefaults(c *container.Config, image ImageConfig) {
	for _, entry := range image.Env {
		if variables(c.Env).index(nameOf(entry)) < 0 {
			c.Env = append(c.Env, entry)
		}
	}
	if len(c.Entrypoint) == 0 {
		if len(c.Cmd) == 0 {
			c.Cmd = slices.Clone(image.Cmd)
		}
		c.Entrypoint = slices.Clone(image.Entrypoint)
	}
	if slices.Equal(c.Entrypoint, []string{""}) {
		c.Entrypoint = nil
	}
	inherit(&c.StopSignal, image.StopSignal)
	inherit(&c.User, image.User)
	inherit(&c.WorkingDir, image.WorkingDir)
	c.Healthcheck = healthWith(c.Healthcheck, image.Healthcheck)
	if c.Labels == nil {
		c.Labels = make(map[string]string)
	}
	for name, value := range image.Labels {
		if _, ok := c.Labels[name]; !ok {
			c.Labels[name] = value
		}
	}
	if c.Volumes == nil {
		c.Volumes = make(map[string]struct{})
	}
	maps.Copy(c.Volumes, image.Volumes)
	if c.ExposedPorts == nil {
		c.ExposedPorts = make(network.PortSet)
	}
	for p := range image.ExposedPorts {
		if port, err := network.ParsePort(p); err == nil {
			c.ExposedPorts[port] = struct{}{}
		}
	}
}

func inherit[T comparable](v *T, provided T) {
	var none T
	if *v == none {
		*v = provided
	}
}

// healthWithout takes out each field that equals the image's; nil when nothing of
// the user's is left.
func healthWithout(own, image *container.HealthConfig) *container.HealthConfig {
	if own == nil || image == nil {
		return own
	}
	left := *own
	if slices.Equal(left.Test, image.Test) {
		left.Test = nil
	}
	take := func(v *time.Duration, provided time.Duration) {
		if *v == provided {
			*v = 0
		}
	}
	take(&left.Interval, image.Interval)
	take(&left.Timeout, image.Timeout)
	take(&left.StartPeriod, image.StartPeriod)
	take(&left.StartInterval, image.StartInterval)
	if left.Retries == image.Retries {
		left.Retries = 0
	}
	if reflect.ValueOf(left).IsZero() {
		return nil
	}
	return &left
}

// healthWith fills in the image's value where the user gave none.
func healthWith(own, image *container.HealthConfig) *container.HealthConfig {
	if own == nil {
		return image
	}
	if image == nil {
		return own
	}
	sum := *own
	if len(sum.Test) == 0 {
		sum.Test = image.Test
	}
	inherit(&sum.Interval, image.Interval)
	inherit(&sum.Timeout, image.Timeout)
	inherit(&sum.StartPeriod, image.StartPeriod)
	inherit(&sum.StartInterval, image.StartInterval)
	inherit(&sum.Retries, image.Retries)
	return &sum
}
