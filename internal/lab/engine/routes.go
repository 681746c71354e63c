package engine

import (
	"net/http"
	"strings"
)

// routes is the part of the Engine API that is spoken here.
func (e *Engine) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /_ping":   e.ping, // a GET pattern answers HEAD too
		"GET /version": e.version,
		"GET /info":    e.info,

		"GET /containers/json":          e.listContainers,
		"POST /containers/create":       e.createContainer,
		"GET /containers/{id}/json":     e.inspectContainer,
		"GET /containers/{id}/logs":     e.containerLogs,
		"GET /containers/{id}/archive":  e.readArchive,
		"HEAD /containers/{id}/archive": e.statArchive,
		"PUT /containers/{id}/archive":  e.writeArchive,
		"POST /containers/{id}/start":   e.startContainer,
		"POST /containers/{id}/stop":    e.stopContainer,
		"POST /containers/{id}/restart": e.restartContainer,
		"POST /containers/{id}/kill":    e.killContainer,
		"POST /containers/{id}/rename":  e.renameContainer,
		"POST /containers/{id}/update":  e.updateContainer,
		"POST /containers/{id}/wait":    e.waitContainer,
		"DELETE /containers/{id}":       e.removeContainer,

		"GET /images/json":         e.listImages,
		"POST /images/create":      e.createImage,
		"GET /images/{name...}":    e.inspectImage,
		"POST /images/{name...}":   e.tagImage,
		"DELETE /images/{name...}": e.removeImage,

		"GET /networks":                  e.listNetworks,
		"POST /networks/create":          e.createNetwork,
		"GET /networks/{id}":             e.inspectNetwork,
		"DELETE /networks/{id}":          e.removeNetwork,
		"POST /networks/{id}/connect":    e.connectNetwork,
		"POST /networks/{id}/disconnect": e.disconnectNetwork,

		"GET /volumes":           e.listVolumes,
		"POST /volumes/create":   e.createVolume,
		"GET /volumes/{name}":    e.inspectVolume,
		"DELETE /volumes/{name}": e.removeVolume,

		"POST /containers/{id}/exec":    e.createExec,
		"GET /exec/{id}/json":           noExec,
		"POST /exec/{id}/{verb}":        notOffered,
		"GET /events":                   notOffered,
		"GET /containers/{id}/top":      notOffered,
		"GET /containers/{id}/stats":    notOffered,
		"POST /containers/{id}/attach":  notOffered,
		"POST /containers/{id}/pause":   notOffered,
		"POST /containers/{id}/unpause": notOffered,
		"POST /containers/{id}/resize":  notOffered,

		"/": noPage,
	} {
		mux.Handle(pattern, h)
	}
	return mux
}

func noPage(http.ResponseWriter, *http.Request) error {
	return refuse(http.StatusNotFound, "page not found")
}

func notOffered(_ http.ResponseWriter, r *http.Request) error {
	verb := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	return refuse(http.StatusNotImplemented, "%s is not offered by the stand-in engine: its containers are plain processes", verb)
}

func noExec(_ http.ResponseWriter, r *http.Request) error {
	return refuse(http.StatusNotFound, "No such exec instance: %s", r.PathValue("id"))
}

// createExec says first what a real engine would, so that callers meet the
// states they have to handle.
func (e *Engine) createExec(w http.ResponseWriter, r *http.Request) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(r.PathValue("id"))
	if err != nil {
		return err
	}
	if !c.running() {
		return refuse(http.StatusConflict, "Container %s is not running", c.id)
	}
	return notOffered(w, r)
}
