package engine

import (
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// createRequest is the body of a create call: container.CreateRequest with what
// API 1.41 has besides.
type createRequest struct {
	container.CreateRequest
	MacAddress string
}

var nameForm = regexp.MustCompile(`^/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return refuse(http.StatusBadRequest, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	}
	return nil
}

func nameTaken(name string, by *instance) error {
	return refuse(http.StatusConflict, "Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+name, by.id)
}

func (e *Engine) createContainer(w http.ResponseWriter, r *http.Request) error {
	name := r.URL.Query().Get("name")
	req := createRequest{CreateRequest: container.CreateRequest{Config: &container.Config{}}}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.HostConfig == nil {
		req.HostConfig = &container.HostConfig{}
	}
	if err := checkHost(req.HostConfig); err != nil {
		return err
	}
	if err := checkEndpoints(req.NetworkingConfig); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	img, err := e.imageFor(req.Config.Image, r.URL.Query().Get("platform"))
	if err != nil {
		return err
	}
	c := &instance{
		id: e.newID(), name: strings.TrimPrefix(name, "/"), created: time.Now().UTC(), platform: "linux",
		config: *req.Config, macAddress: req.MacAddress, host: *req.HostConfig,
		state: state{status: container.StateCreated}, changed: make(chan struct{}),
	}
	if img != nil {
		c.image = img.id
		inherit(&c.config, img.config.Config)
	}
	if program, _ := c.path(); program == "" {
		return refuse(http.StatusBadRequest, "No command specified")
	}
	if img == nil {
		return refuse(http.StatusBadRequest, "no image specified")
	}
	if name == "" {
		c.name = "lab_" + short(c.id)
	} else if err := checkName(name); err != nil {
		return err
	}
	if other := e.named(c.name); other != nil {
		return nameTaken(c.name, other)
	}
	hostDefaults(&c.host)
	if c.config.Hostname == "" {
		c.config.Hostname = short(c.id)
	}
	c.endpoints = e.firstEndpoints(c.host.NetworkMode, req.NetworkingConfig)
	if err := e.settle(c, img); err != nil {
		return err
	}
	e.containers[c.id] = c
	e.log.Info("container created", "name", c.name, "image", c.config.Image)
	return writeJSON(w, http.StatusCreated, map[string]any{"Id": c.id, "Warnings": []string{}})
}

// imageFor finds the image to create from; nil when none was named, which ends
// in "No command specified". e.mu is held.
func (e *Engine) imageFor(ref, platform string) (*image, error) {
	if ref == "" {
		return nil, nil
	}
	img, err := e.lookUp(ref)
	if err != nil {
		return nil, err
	}
	if platform != "" && !samePlatform(platform, img.config.OS, img.config.Architecture) {
		return nil, refuse(http.StatusNotFound, "image with reference %s was found but does not match the specified platform: wanted %s, actual: %s",
			ref, platform, img.config.platform())
	}
	return img, nil
}

func checkHost(h *container.HostConfig) error {
	if h.AutoRemove && !h.RestartPolicy.IsNone() {
		return refuse(http.StatusBadRequest, "can't create 'AutoRemove' container with restart policy")
	}
	return checkPolicy(h.RestartPolicy)
}

func checkPolicy(p container.RestartPolicy) error {
	switch p.Name {
	case "", container.RestartPolicyDisabled, container.RestartPolicyAlways, container.RestartPolicyUnlessStopped:
		if p.MaximumRetryCount != 0 {
			return refuse(http.StatusBadRequest, "maximum retry count cannot be used with restart policy '%s'", p.Name)
		}
	case container.RestartPolicyOnFailure:
		if p.MaximumRetryCount < 0 {
			return refuse(http.StatusBadRequest, "maximum retry count cannot be negative")
		}
	default:
		return refuse(http.StatusBadRequest, "invalid restart policy '%s'", p.Name)
	}
	return nil
}

// inherit adds to a container's settings what its image says and the caller
// left open (moby, daemon/commit.go, merge).
func inherit(c *container.Config, img container.Config) {
	if c.User == "" {
		c.User = img.User
	}
	if len(c.Entrypoint) == 1 && c.Entrypoint[0] == "" {
		c.Entrypoint = []string{} // the way to clear the image's
	}
	if len(c.Entrypoint) == 0 {
		if len(c.Cmd) == 0 {
			c.Cmd = img.Cmd
		}
		if c.Entrypoint == nil {
			c.Entrypoint = img.Entrypoint
		}
	}
	for _, kv := range img.Env {
		key, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(c.Env, func(s string) bool { return s == key || strings.HasPrefix(s, key+"=") }) {
			c.Env = append(c.Env, kv)
		}
	}
	c.ExposedPorts = union(img.ExposedPorts, c.ExposedPorts)
	c.Volumes = union(img.Volumes, c.Volumes)
	if c.Labels = union(img.Labels, c.Labels); c.Labels == nil {
		c.Labels = map[string]string{}
	}
	if c.WorkingDir == "" {
		c.WorkingDir = img.WorkingDir
	}
	if c.StopSignal == "" {
		c.StopSignal = img.StopSignal
	}
	if c.StopTimeout == nil {
		c.StopTimeout = img.StopTimeout
	}
	if c.Healthcheck == nil {
		c.Healthcheck = img.Healthcheck
	}
}

// union is a new map of both; b wins. It is nil when both are empty.
func union[M ~map[K]V, K comparable, V any](a, b M) M {
	if len(a)+len(b) == 0 {
		return nil
	}
	out := maps.Clone(a)
	if out == nil {
		out = M{}
	}
	maps.Copy(out, b)
	return out
}

// settle gives a new container its address, its files and its mounts. e.mu is held.
func (e *Engine) settle(c *instance, img *image) (err error) {
	taken := map[netip.Addr]bool{}
	for _, other := range e.containers {
		taken[other.addr] = true
	}
	if c.addr, err = e.net.next(taken); err != nil {
		return err
	}
	c.dir = filepath.Join(e.dir, "containers", c.id)
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return err
	}
	if err = cloneTree(img.dir, c.rootDir()); err == nil {
		err = e.mount(c)
	}
	if err != nil {
		os.RemoveAll(c.dir)
	}
	return err
}

// checkEndpoints refuses more than one network: API 1.41 takes the others by
// connect only.
func checkEndpoints(given *network.NetworkingConfig) error {
	if given == nil || len(given.EndpointsConfig) <= 1 {
		return nil
	}
	return refuse(http.StatusBadRequest, "Container cannot be connected to network endpoints: %s",
		strings.Join(slices.Sorted(maps.Keys(given.EndpointsConfig)), ", "))
}

// firstEndpoints are the networks a container is created on: the one of its
// network mode. e.mu is held.
func (e *Engine) firstEndpoints(mode container.NetworkMode, given *network.NetworkingConfig) map[string]*endpoint {
	if mode.IsContainer() {
		return map[string]*endpoint{}
	}
	key := e.networkName(string(mode))
	ep := &endpoint{}
	if given != nil {
		for name, s := range given.EndpointsConfig {
			if e.networkName(name) == key && s != nil {
				ep.given = *s.Copy()
			}
		}
	}
	return map[string]*endpoint{key: ep}
}
