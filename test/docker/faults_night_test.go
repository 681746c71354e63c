//go:build docker

package docker

import (
	"slices"
	"strings"
	"time"

	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
	"aigw-ci/test/program"
)

// faulty is a world in which a gateway that somebody started by hand, with settings and
// a volume of its own, is about to be upgraded. next is the release it is upgraded to.
func (w *world) faulty(next image.Options) *night {
	w.Helper()
	next.Tag = tag183
	if next.After == 0 {
		next.After = 2 * time.Second
	}
	n := &night{world: w, users: w.url(), story: story{command: "upgrade", outcomes: []string{"upgraded", "unchanged"}}}
	n.mirror(image.Options{Tag: tag182}, next)
	n.estate.SetVersion("18.3.6-ee")
	exposed, bindings := publish("127.0.0.1:"+n.port, "5052", "127.0.0.1:"+n.grpc, "50052")
	n.before = n.dockerRun(n.name, object{
		"Image": n.pull(tag182), "Env": append(n.environment(), "OWN=kept"), "ExposedPorts": exposed,
		"Volumes":    object{"/srv": object{}},
		"HostConfig": object{"PortBindings": bindings, "RestartPolicy": object{"Name": "always"}},
	})
	n.volume = n.before.Volume("/srv")
	if !n.Answers(30 * time.Second) {
		n.Fatal("the gateway does not answer")
	}
	return n
}

// recovery is how long an engine that comes back may take to have its containers serve.
const recovery = time.Minute

// survives fails the test when a run that met a fault ended otherwise than it may, or
// left users without a gateway or with another one than its exit code says, or lost
// settings. Then the same command once more has to end well, without leaving anything.
func (n *night) survives(r program.Result, exits ...int) {
	n.Helper()
	n.Logf("exit code %d, %s: %s", r.Exit, r.Outcome, r.Error)
	if !slices.Contains(exits, r.Exit) {
		n.Errorf("exit code %d, none of %v", r.Exit, exits)
	}
	if r.Exit != 0 && r.Error == "" {
		n.Error("it does not say what happened")
	}
	if !n.Answers(recovery) {
		n.Errorf("users are not served: %s", crowd.Ask(n.Context(), "GET", n.users))
	}
	n.honest(r)
	n.again()
}

// honest compares what a report says of the gateway with what there is.
func (n *night) honest(r program.Result) {
	n.Helper()
	c, err := n.Find(n.Context(), n.name)
	if err != nil || c == nil {
		n.Fatalf("there is no %s: %v", n.name, err)
	}
	if r.Exit == 5 || r.Exit == 7 {
		return // it says that a person has to look, or that it does not know
	}
	old := c.ID == n.before.ID
	switch r.Exit {
	case 0:
		if old || !strings.Contains(c.Config.Image, ":"+tag183+"@") {
			n.Errorf("a success, and %s serves", c.Config.Image)
		}
	case 1, 4, 8: // nothing was changed, or it is as it was before
		if !old {
			n.Errorf("exit code %d, and %s serves, not the container from before", r.Exit, c.Config.Image)
		}
	}
	if r.After != nil && r.After.ID != c.ID {
		n.Errorf("the report says that %s serves, and it is %s", r.After.ID, c.ID)
	}
	if c.State.Status != "running" || c.Variable("OWN") != "kept" || c.Volume("/srv") != n.volume {
		n.Errorf("%s is %s, with OWN=%q and the volume %q", c.Name, c.State.Status, c.Variable("OWN"), c.Volume("/srv"))
	}
}
