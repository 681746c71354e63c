package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	"aigw-ci/internal/lab/registry"
	"aigw-ci/internal/lab/wire"
)

// Control changes a running estate over HTTP. It has no password: serve it on
// loopback only.
//
//	/control/version?set=18.3.6-ee
//	/control/publish?tag=self-hosted-v18.3.2-ee&mode=crash-at-boot&after=8s&boot=2s
//	/control/fault?on=gitlab&kind=rack-attack&times=2&path=/api/
//	/control/fault?on=registry                 (without a kind: all is well again)
//	/control/requests                          (how many there were; ?reset=true forgets them)
//	/control/duo?gateway_url=http://...        (and more: see controlDuo)
func (e *Estate) Control() http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, do func(r *http.Request) (any, error)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			said, err := do(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(said)
		})
	}
	handle("/control/version", e.controlVersion)
	handle("/control/publish", e.controlPublish)
	handle("/control/fault", e.controlFault)
	handle("/control/requests", e.controlRequests)
	handle("/control/duo", e.controlDuo)
	return mux
}

func (e *Estate) controlVersion(r *http.Request) (any, error) {
	if v := r.FormValue("set"); v != "" {
		e.SetVersion(v)
	}
	return map[string]string{"version": e.GitLab.Version()}, nil
}

func (e *Estate) controlPublish(r *http.Request) (any, error) {
	mode, err := gateway.ParseMode(r.FormValue("mode"))
	if err != nil {
		return nil, err
	}
	o := image.Options{Tag: r.FormValue("tag"), Mode: mode}
	if o.Tag == "" {
		return nil, fmt.Errorf("which tag? add tag=self-hosted-v18.3.2-ee")
	}
	if o.After, err = time.ParseDuration(cmp.Or(r.FormValue("after"), "0s")); err != nil {
		return nil, err
	}
	if o.BootDelay, err = time.ParseDuration(cmp.Or(r.FormValue("boot"), "0s")); err != nil {
		return nil, err
	}
	return map[string]string{"tag": o.Tag, "mode": string(mode)}, e.PublishImage(o)
}

func (e *Estate) controlFault(r *http.Request) (any, error) {
	on, kind, to := r.FormValue("on"), r.FormValue("kind"), cmp.Or(r.FormValue("to"), "http://elsewhere.example.com")
	times, err := strconv.Atoi(cmp.Or(r.FormValue("times"), "0"))
	if err != nil || times < 0 {
		return nil, fmt.Errorf("times=%q: want a number, 0 for until cleared", r.FormValue("times"))
	}
	var find func(name, to string) (wire.Fault, error)
	var set func(...wire.Fault)
	path := r.FormValue("path")
	switch on {
	case "gitlab":
		// Not the token endpoint, unless it is asked for: it belongs to the registry.
		find, set, path = gitlab.Fault, e.GitLab.SetFaults, cmp.Or(path, "/api/")
	case "registry":
		find, set = registry.Fault, e.Registry.SetFaults
	default:
		return nil, fmt.Errorf("on=%q: choose gitlab or registry", on)
	}
	if kind == "" {
		set()
		return map[string]string{"on": on, "fault": "none"}, nil
	}
	f, err := find(kind, to)
	if err != nil {
		return nil, err
	}
	set(f.On(r.FormValue("method"), path).For(times))
	return map[string]string{"on": on, "fault": kind}, nil
}

func (e *Estate) controlRequests(r *http.Request) (any, error) {
	if r.FormValue("reset") == "true" {
		e.GitLab.Log().Reset()
		e.Registry.Log().Reset()
	}
	return map[string]any{
		"gitlab":   map[string]int64{"requests": int64(e.GitLab.Log().Requests()), "bytes": e.GitLab.Log().Bytes()},
		"registry": map[string]int64{"requests": int64(e.Registry.Log().Requests()), "bytes": e.Registry.Log().Bytes()},
	}, nil
}
