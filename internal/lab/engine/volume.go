package engine

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// volume is a named directory.
type volume struct {
	Name       string
	Driver     string
	Mountpoint string
	CreatedAt  string
	Scope      string
	Labels     map[string]string
	Options    map[string]string
}

var volumeForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// addVolume makes a volume, or returns the one of that name. e.mu is held.
func (e *Engine) addVolume(name string, labels, options map[string]string) (*volume, error) {
	if v := e.volumes[name]; v != nil {
		return v, nil
	}
	if !volumeForm.MatchString(name) {
		return nil, refuse(http.StatusBadRequest, `create %s: "%s" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`, name, name)
	}
	v := &volume{
		Name: name, Driver: "local", Scope: "local", Labels: labels, Options: options,
		Mountpoint: filepath.Join(e.dir, "volumes", name, "_data"), CreatedAt: time.Now().UTC().Format(time.RFC3339),
	}
	if err := os.MkdirAll(v.Mountpoint, 0o755); err != nil {
		return nil, err
	}
	e.volumes[name] = v
	return v, nil
}

// dropVolume removes a volume and what is in it. e.mu is held.
func (e *Engine) dropVolume(name string) error {
	delete(e.volumes, name)
	return os.RemoveAll(filepath.Join(e.dir, "volumes", name))
}

// usersOf are the IDs of the containers that mount a volume. e.mu is held.
func (e *Engine) usersOf(name string) []string {
	var ids []string
	for id, c := range e.containers {
		if slices.ContainsFunc(c.mounts, func(m mounted) bool { return m.Name == name }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (e *Engine) createVolume(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name, Driver       string
		DriverOpts, Labels map[string]string
	}
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Driver != "" && req.Driver != "local" {
		return refuse(http.StatusNotImplemented, "volume driver %q is not offered by the stand-in engine", req.Driver)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if req.Name == "" {
		req.Name = e.newID()
	}
	v, err := e.addVolume(req.Name, req.Labels, req.DriverOpts)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, v)
}

func (e *Engine) inspectVolume(w http.ResponseWriter, r *http.Request) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.volumes[r.PathValue("name")]
	if v == nil {
		return noVolume(r.PathValue("name"))
	}
	return writeJSON(w, http.StatusOK, v)
}

func noVolume(name string) error {
	return refuse(http.StatusNotFound, "get %s: no such volume", name)
}

func (e *Engine) listVolumes(w http.ResponseWriter, r *http.Request) error {
	want, err := readFilters(r, "name", "label")
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []*volume{}
	for _, name := range slices.Sorted(maps.Keys(e.volumes)) {
		if v := e.volumes[name]; want.name(name) && want.labels(v.Labels) {
			out = append(out, v)
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"Volumes": out, "Warnings": nil})
}

func (e *Engine) removeVolume(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.volumes[name] == nil {
		if truth(r, "force") {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return noVolume(name)
	}
	if users := e.usersOf(name); len(users) > 0 {
		return refuse(http.StatusConflict, "remove %s: volume is in use - [%s]", name, strings.Join(users, ", "))
	}
	if err := e.dropVolume(name); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
