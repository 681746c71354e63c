package engine

import (
	"net/http"
	"os"
	"runtime"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
)

// release is the Docker release whose behaviour is followed, with a suffix that
// tells the stand-in from the real one.
const release = "20.10.24+aigw-lab"

func (e *Engine) ping(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	w.Write([]byte("OK"))
	return nil
}

func (e *Engine) version(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, system.VersionResponse{
		Platform:      system.PlatformInfo{Name: "aigw-lab stand-in engine"},
		Version:       release,
		APIVersion:    apiVersion,
		MinAPIVersion: "1.12",
		Os:            "linux",
		Arch:          runtime.GOARCH,
		GoVersion:     runtime.Version(),
	})
}

func (e *Engine) info(w http.ResponseWriter, _ *http.Request) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	running := 0
	for _, c := range e.containers {
		if c.running() {
			running++
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return writeJSON(w, http.StatusOK, map[string]any{
		"ID":                "aigw-lab",
		"Name":              host,
		"Containers":        len(e.containers),
		"ContainersRunning": running,
		"ContainersPaused":  0,
		"ContainersStopped": len(e.containers) - running,
		"Images":            len(e.images),
		"Driver":            graphDriver,
		"LoggingDriver":     "json-file",
		"OperatingSystem":   "aigw-lab (processes, not containers)",
		"OSType":            "linux",
		"Architecture":      machine(),
		"NCPU":              runtime.NumCPU(),
		"DockerRootDir":     e.dir,
		"ServerVersion":     release,
		"DefaultRuntime":    runcRuntime,
		"Labels":            []string{},
		"Swarm":             map[string]string{"LocalNodeState": "inactive"},
		"SecurityOptions":   []string{},
		"Warnings":          []string{"this is a stand-in engine: its containers are processes without isolation"},
	})
}

// graphDriver and runcRuntime are what a usual engine reports.
const (
	graphDriver = "overlay2"
	runcRuntime = "runc"
)

// machine is the architecture as uname spells it, which is how /info does.
func machine() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}

// hostDefaults fills in what an engine adds to a container's host settings.
func hostDefaults(h *container.HostConfig) {
	if h.LogConfig.Type == "" {
		h.LogConfig.Type = "json-file"
	}
	if h.LogConfig.Config == nil {
		h.LogConfig.Config = map[string]string{}
	}
	if h.NetworkMode == "" {
		h.NetworkMode = "default"
	}
	if h.IpcMode == "" {
		h.IpcMode = container.IPCModePrivate
	}
	if h.CgroupnsMode == "" {
		h.CgroupnsMode = container.CgroupnsModeHost
	}
	if h.ShmSize == 0 {
		h.ShmSize = 64 << 20
	}
	if h.OomKillDisable == nil {
		h.OomKillDisable = new(bool)
	}
	if h.Runtime == "" {
		h.Runtime = runcRuntime
	}
	if h.MaskedPaths == nil {
		h.MaskedPaths = []string{
			"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
			"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
		}
	}
	if h.ReadonlyPaths == nil {
		h.ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	}
}
