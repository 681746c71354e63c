package dockerd

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Container is what is read of one. Raw is all of it.
type Container struct {
	ID           string `json:"Id"`
	Name         string // with a leading slash
	Created      time.Time
	RestartCount int
	State        struct {
		Status    string
		Error     string
		StartedAt string
		Health    *struct{ Status string }
	}
	Config struct {
		Image  string
		Env    []string
		Labels map[string]string
	}
	HostConfig struct {
		RestartPolicy struct{ Name string }
	}
	NetworkSettings struct {
		Networks map[string]struct {
			IPAddress string
			Aliases   []string
		}
	}
	Mounts []struct {
		Type, Name, Destination string
	}

	Raw []byte `json:"-"`
}

// Variable is a variable of the container's environment.
func (c *Container) Variable(name string) string {
	for _, pair := range c.Config.Env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// Volume is the name of the volume that is mounted at a path; "" without one.
func (c *Container) Volume(at string) string {
	for _, m := range c.Mounts {
		if m.Destination == at {
			return m.Name
		}
	}
	return ""
}

// Find inspects a container by name or ID; nil when there is none.
func (e *Engine) Find(ctx context.Context, name string) (*Container, error) {
	c := new(Container)
	if err := e.Call(ctx, http.MethodGet, "/containers/"+url.PathEscape(name)+"/json", nil, &c.Raw); err != nil {
		if IsMissing(err) {
			return nil, nil
		}
		return nil, err
	}
	return c, json.Unmarshal(c.Raw, c)
}

// Remove removes a container, also one that runs, with its anonymous volumes.
func (e *Engine) Remove(ctx context.Context, id string) error {
	return e.Call(ctx, http.MethodDelete, "/containers/"+id+"?force=1&v=1", nil, nil)
}
