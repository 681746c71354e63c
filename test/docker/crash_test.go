//go:build docker

package docker

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crash"
	"aigw-ci/test/crowd"
	"aigw-ci/test/program"
)

// story is one way of a run, from a state of the engine to another.
type story struct {
	title   string
	command string
	more    []string // settings
	mode    gateway.Mode

	first    bool // nothing runs before
	upgraded bool // what runs has replaced another one before
	proxied  bool // no port is published: a proxy knows the gateway by an alias

	exit     int      // of a run that nothing disturbs
	back     bool     // the container from before serves in the end
	outcomes []string // of a run after one that was disturbed
}

var stories = []story{
	{title: "install", command: "upgrade", first: true, outcomes: []string{"installed", "upgraded", "unchanged"}},
	{title: "upgrade", command: "upgrade", outcomes: []string{"upgraded", "unchanged"}},
	{title: "alias move", command: "upgrade", proxied: true, outcomes: []string{"upgraded", "unchanged"}},
	{title: "failed rehearsal", command: "upgrade", mode: gateway.CrashAtBoot, exit: 4, back: true, outcomes: []string{"rejected"}},
	{title: "failed promotion", command: "upgrade", mode: gateway.CrashAtBoot, more: []string{"AIGW_CI_REHEARSE=false"}, exit: 4, back: true, outcomes: []string{"rolled_back"}},
	{title: "alias move and back", command: "upgrade", mode: gateway.DiesAfter, more: []string{"AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_HOLD=6s"}, proxied: true, exit: 4, back: true, outcomes: []string{"rolled_back"}},
	{title: "rollback", command: "rollback", upgraded: true, outcomes: []string{"rolled_back"}},
}

// night is a story being told in a world of its own.
type night struct {
	*world
	story
	users  string             // where the gateway's users are
	older  string             // the image that was pulled by hand, by digest
	before *dockerd.Container // nil without one
	volume string             // of the container before
}

// begin makes the world as it is before the run.
func (p story) begin(t *testing.T) *night {
	t.Helper()
	release := image.Options{Tag: tag183, Mode: p.mode, After: 2 * time.Second}
	n := &night{story: p}
	if p.proxied {
		proxied := newProxied(t, true, release)
		n.world, n.users, n.before = proxied.world, proxied.nginx.url, proxied.old
	} else {
		n.world = newWorld(t)
		n.users = n.url()
	}
	n.settings["AIGW_CI_VERIFY_HOLD"], n.settings["AIGW_CI_VERIFY_SUCCESSES"], n.settings["AIGW_CI_VERIFY_TIMEOUT"] = "1s", "1", "30s"
	n.settings = program.With(n.settings, p.more...)
	n.estate.SetVersion("18.3.6-ee")
	if p.proxied || p.first {
		return n
	}
	n.mirror(image.Options{Tag: tag182}, release)
	exposed, bindings := publish("127.0.0.1:"+n.port, "5052")
	n.older = n.pull(tag182)
	n.before = n.dockerRun(n.name, object{
		"Image": n.older, "Env": append(n.environment(), "OWN=kept"), "ExposedPorts": exposed,
		"Volumes":    object{"/srv": object{}},
		"HostConfig": object{"PortBindings": bindings, "RestartPolicy": object{"Name": "always"}},
	})
	n.volume = n.before.Volume("/srv")
	if !n.Answers(10 * time.Second) {
		t.Fatal("the gateway does not answer")
	}
	if p.upgraded {
		n.run("upgrade", 0, "upgraded")
		n.before = n.inspect(n, n.name)
	}
	return n
}

// Start starts the program's command: see crash.Night.
func (n *night) Start(more ...string) *program.Job { return n.start(n.command, more...) }

// Middle stands between the program and the engine.
func (n *night) Middle() (m *crash.Middle, setting string) {
	n.Helper()
	m, host := n.middle()
	return m, "DOCKER_HOST=" + host
}

// Answers reports whether the gateway's users are served, within a time.
func (n *night) Answers(within time.Duration) bool {
	return crowd.Answers(n.Context(), n.users, within)
}

// again runs the program once more, as after a crash.
func (n *night) again() {
	n.Helper()
	crash.Again(n, n, n.exit, n.outcomes)
}

// Right fails the test when something else serves than one gateway, of the right
// image and with the settings from before, or the report says something else, or
// anything is left.
func (n *night) Right(r program.Result) {
	n.Helper()
	c, err := n.Find(n.Context(), n.name)
	if err != nil || c == nil {
		n.Fatalf("there is no %s: %v", n.name, err)
	}
	if c.State.Status != "running" {
		n.Errorf("%s is %s", n.name, c.State.Status)
	}
	if problem := crowd.Ask(n.Context(), http.MethodGet, n.users); problem != "" {
		n.Errorf("users are not served: %s", problem)
	}
	if r.After == nil || r.After.ID != c.ID {
		n.Errorf("the report says that %+v serves, and it is %s", r.After, c.ID)
	}
	if n.back && c.ID != n.before.ID {
		n.Errorf("%s serves, not the container from before, %s", c.ID, n.before.ID)
	}
	wanted := ":" + tag183 + "@" + r.Image.Digest
	if n.command == "rollback" {
		_, wanted, _ = strings.Cut(n.older, "@")
	}
	if !n.back && (!strings.HasSuffix(c.Config.Image, wanted) || !strings.HasSuffix(wanted, r.Image.Digest)) {
		n.Errorf("%s runs %s, not %s, and the report says %s", n.name, c.Config.Image, wanted, r.Image.Digest)
	}
	if n.before != nil {
		for _, own := range n.before.Config.Env {
			if name, value, _ := strings.Cut(own, "="); !strings.HasPrefix(name, "LAB_") && c.Variable(name) != value {
				n.Errorf("%s is %q, and was %q", name, c.Variable(name), value)
			}
		}
		if c.HostConfig.RestartPolicy.Name != "always" {
			n.Errorf("the restart policy is %q", c.HostConfig.RestartPolicy.Name)
		}
		if now := c.Volume("/srv"); now != n.volume {
			n.Errorf("the volume is %q, and was %q", now, n.volume)
		}
	}
	n.alone()
}

// The crash matrix: the program is killed at every request that changes something on
// the engine, before the engine gets it and after the engine has done it. The same
// command once more makes everything good. A sample of the points is tried here, and
// all of them, with random faults besides, in `make soak`.
//
// The test is not parallel to others: what a point leaves on the engine is its own.
func TestCrash(t *testing.T) {
	volumes := shared.engine.volumeNames(t)
	m := crash.Matrix{Target: "Docker", Nth: 20, Shift: 5, Decisive: decisive}
	for _, p := range stories {
		begin := func(t *testing.T) crash.Night { return p.begin(t) }
		m.Stories = append(m.Stories, crash.Story{Title: p.title, Begin: begin, Exit: p.exit, Outcomes: p.outcomes})
	}
	m.Try(t)
	for _, v := range shared.engine.volumeNames(t) {
		if !slices.Contains(volumes, v) {
			t.Errorf("volume %s is left", v)
		}
	}
}

// decisive are the points at which one gateway takes another's place.
func decisive(p crash.Point) bool {
	return p.After && (strings.HasPrefix(p.Deed, "POST rename ") || p.Deed == "POST start gateway" || p.Deed == "POST stop previous")
}

func (e *engine) volumeNames(t *testing.T) (names []string) {
	t.Helper()
	list, err := e.Volumes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		names = append(names, v.Name)
	}
	return names
}
