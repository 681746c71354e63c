package lab

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"aigw-ci/internal/lab/gitlab"
)

// controlDuo changes what GitLab thinks of its gateway, and tells it.
//
//	/control/duo?gateway_url=http://172.17.0.1:5052   (empty unsets it)
//	/control/duo?clock=-2h                            (of GitLab, when it signs)
//	/control/duo?rotate=true                          (another signing key)
//	/control/duo?switch=direct-connections&on=false   (see gitlab.Switch)
func (e *Estate) controlDuo(r *http.Request) (any, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	if clock := r.FormValue("clock"); clock != "" {
		offset, err := time.ParseDuration(clock)
		if err != nil {
			return nil, fmt.Errorf("clock=%q: want an offset such as -2h", clock)
		}
		e.GitLab.SetClock(offset)
	}
	if name := r.FormValue("switch"); name != "" {
		what, err := gitlab.ParseSwitch(name)
		if err != nil {
			return nil, err
		}
		on, err := strconv.ParseBool(r.FormValue("on"))
		if err != nil {
			return nil, fmt.Errorf("on=%q: want true or false", r.FormValue("on"))
		}
		e.GitLab.Turn(what, on)
	}
	if r.Form.Has("gateway_url") {
		e.GitLab.SetGatewayURL(r.FormValue("gateway_url"))
	}
	if r.FormValue("rotate") == "true" {
		e.GitLab.RotateKey()
	}
	return map[string]string{"gateway_url": e.GitLab.GatewayURL()}, nil
}
