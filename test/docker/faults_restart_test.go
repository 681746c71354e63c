//go:build docker

package docker

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crash"
	"aigw-ci/test/crowd"
	"aigw-ci/test/program"
)

// An engine that is restarted in the middle of a run, as package updates do at night,
// takes the gateway along and brings it back by its restart policy. So it does with
// the set-aside one, if that still has a policy, on the same port as the new one.
//
// An engine that is slow to come back is one whose lock is lost, exit code 7, or which
// is not back in time, 5. Whatever the code, users are served, and the next run ends
// well.
func TestEngineRestarts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at    moment      // or
		point crash.Point // or neither: while the engine pulls
		crash bool        // without a farewell, so that the containers run on without an engine
		mode  gateway.Mode
		exits []int
		says  string
	}{
		"pulling":                {exits: []int{1, 7}, says: "the engine went away"},
		"rehearsing":             {at: state(".aigw-ci-rehearsal", "running"), exits: []int{0, 1, 4, 5, 6, 7}},
		"between stop and start": {point: crash.Point{Deed: "POST stop previous", Nth: 1, After: true}, exits: []int{4, 5, 7}},
		"new one started":        {point: crash.Point{Deed: "POST start gateway", Nth: 1, After: true}, crash: true, exits: []int{4, 5, 7}},
		"verifying":              {at: said("Verify the gateway").then(time.Second), exits: []int{0, 4, 5, 6, 7}},
		"going back":             {at: said("Put the previous gateway back"), mode: gateway.DiesWithUsers, exits: []int{4, 5, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOwnEngine(t, "")
			n := o.world().faulty(image.Options{Mode: test.mode, After: 300 * time.Millisecond, BootDelay: time.Second})
			n.settings["AIGW_CI_VERIFY_HOLD"] = "4s"
			down := o.stop
			if test.crash {
				down = o.crash
			}
			goOn := func() {}
			if test.at == nil && test.point.Deed == "" {
				test.at, goOn = n.stallPulls()
			}
			crowd.Work(t, n.users, 1)
			var r program.Result
			if test.at != nil {
				j := n.start("upgrade")
				n.await(j, test.at)
				down()
				o.check(o.begin())
				goOn()
				r = j.Wait()
			} else {
				r = o.struck(n, test.point, down)
			}
			if test.says != "" && r.Exit == test.exits[0] {
				r.Says(t, test.says)
			}
			if test.mode == gateway.DiesWithUsers {
				n.exit, n.back, n.outcomes = 4, true, []string{"rolled_back"}
			}
			n.survives(r, test.exits...)
		})
	}
}

// struck runs the program and takes the engine down at a point of it: exactly then,
// with the connections that it has. The engine is back as soon as it can.
func (o *ownEngine) struck(n *night, at crash.Point, down func()) program.Result {
	o.t.Helper()
	socket := filepath.Join(o.dir, "front.sock")
	m := &crash.Middle{
		Server: &url.URL{Scheme: "http", Host: "engine"},
		Way: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", o.Socket)
		}},
		Name: n.deed,
	}
	open := func() *http.Server {
		listener, err := net.Listen("unix", socket)
		o.check(err)
		server := &http.Server{Handler: m}
		go func() { _ = server.Serve(listener) }()
		return server
	}
	first := open()
	struck := make(chan struct{})
	m.Arm(at, crash.Strike{Name: "engine down", Drop: true, Do: func(crash.Victim) {
		defer close(struck)
		go first.Close() // it waits for nobody, but this request is one of its own
		down()
	}})
	j := n.start(n.command, "DOCKER_HOST=unix://"+socket)
	m.Meet(crash.Victim{Process: j.Process, Ended: j.Ended})
	select {
	case <-struck:
	case <-j.Ended:
		o.t.Fatalf("the run ended before its moment came:\n%s", j.Log)
	}
	o.check(o.begin())
	defer open().Close()
	return j.Wait()
}
