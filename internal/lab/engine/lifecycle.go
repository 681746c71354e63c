package engine

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
)

func (e *Engine) startContainer(w http.ResponseWriter, r *http.Request) error {
	c, release, err := e.take(r)
	if err != nil {
		return err
	}
	defer release()
	if running, _ := e.watch(c); running {
		return errUnchanged
	}
	if err := e.start(c); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// grace is how long a container gets to end by itself: t of the query, the
// container's own timeout, or 10 seconds. A negative t waits for ever.
func grace(r *http.Request, c *instance) (time.Duration, error) {
	seconds := 10
	if c.config.StopTimeout != nil {
		seconds = *c.config.StopTimeout
	}
	if t := r.URL.Query().Get("t"); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil {
			return 0, refuse(http.StatusBadRequest, "invalid value %q for t", t)
		}
		seconds = n
	}
	if seconds < 0 {
		return time.Duration(1<<63 - 1), nil
	}
	return time.Duration(seconds) * time.Second, nil
}

func (e *Engine) stopContainer(w http.ResponseWriter, r *http.Request) error {
	c, release, err := e.take(r)
	if err != nil {
		return err
	}
	defer release()
	wait, err := grace(r, c)
	if err != nil {
		return err
	}
	if running, _ := e.watch(c); !running {
		return errUnchanged
	}
	e.stop(c, wait, true)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (e *Engine) restartContainer(w http.ResponseWriter, r *http.Request) error {
	c, release, err := e.take(r)
	if err != nil {
		return err
	}
	defer release()
	wait, err := grace(r, c)
	if err != nil {
		return err
	}
	if running, _ := e.watch(c); running {
		e.stop(c, wait, false)
	}
	if err := e.start(c); err != nil {
		return refuse(http.StatusInternalServerError, "Cannot restart container %s: %v", r.PathValue("id"), err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (e *Engine) renameContainer(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Query().Get("name"), "/")
	if name == "" {
		return refuse(http.StatusBadRequest, "Neither old nor new names may be empty")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(r.PathValue("id"))
	if err != nil {
		return err
	}
	if name == c.name {
		return refuse(http.StatusBadRequest, "Renaming a container with the same name as its current name")
	}
	if err := checkName(name); err != nil {
		return refuse(http.StatusBadRequest, "Error when allocating new name: %v", err)
	}
	if other := e.named(name); other != nil {
		return refuse(http.StatusConflict, "Error when allocating new name: %v", nameTaken(name, other))
	}
	c.name = name
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// updateContainer changes the restart policy and the resources that are given;
// zero values leave a resource as it is.
func (e *Engine) updateContainer(w http.ResponseWriter, r *http.Request) error {
	var req container.UpdateConfig
	if err := readJSON(r, &req); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := checkPolicy(req.RestartPolicy); err != nil {
		return err
	}
	if c.host.AutoRemove && !req.RestartPolicy.IsNone() {
		return refuse(http.StatusConflict, "Restart policy cannot be updated because AutoRemove is enabled for the container")
	}
	if req.RestartPolicy.Name != "" {
		c.host.RestartPolicy = req.RestartPolicy
	}
	res := &c.host.Resources
	setIf(&res.Memory, req.Memory)
	setIf(&res.MemorySwap, req.MemorySwap)
	setIf(&res.MemoryReservation, req.MemoryReservation)
	setIf(&res.NanoCPUs, req.NanoCPUs)
	setIf(&res.CPUShares, req.CPUShares)
	setIf(&res.CPUPeriod, req.CPUPeriod)
	setIf(&res.CPUQuota, req.CPUQuota)
	setIf(&res.CpusetCpus, req.CpusetCpus)
	setIf(&res.CpusetMems, req.CpusetMems)
	setIf(&res.BlkioWeight, req.BlkioWeight)
	setIf(&res.PidsLimit, req.PidsLimit)
	return writeJSON(w, http.StatusOK, map[string]any{"Warnings": nil})
}

func setIf[T comparable](to *T, v T) {
	var zero T
	if v != zero {
		*to = v
	}
}
