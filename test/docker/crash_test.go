//go:build docker

package docker

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crash"
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
	users  string     // where the gateway's users are
	before *container // nil without one
	volume string     // of the container before
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
	for _, s := range p.more {
		name, value, _ := strings.Cut(s, "=")
		n.settings[name] = value
	}
	n.estate.SetVersion("18.3.6-ee")
	if p.proxied || p.first {
		return n
	}
	n.mirror(image.Options{Tag: tag182}, release)
	exposed, bindings := publish("127.0.0.1:"+n.port, "5052")
	n.before = n.dockerRun(n.name, object{
		"Image": n.pull(tag182), "Env": append(n.environment(), "OWN=kept"), "ExposedPorts": exposed,
		"Volumes":    object{"/srv": object{}},
		"HostConfig": object{"PortBindings": bindings, "RestartPolicy": object{"Name": "always"}},
	})
	n.volume = n.before.mount("/srv")
	if !n.answers(10 * time.Second) {
		t.Fatal("the gateway does not answer")
	}
	if p.upgraded {
		n.run("upgrade", 0, "upgraded")
		n.before = n.inspect(n, n.name)
	}
	return n
}

func (c *container) mount(at string) string {
	for _, m := range c.Mounts {
		if m.Destination == at {
			return m.Name
		}
	}
	return ""
}

// answers reports whether the gateway's users are served, within a time.
func (n *night) answers(within time.Duration) bool {
	for until := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		if ask(n.Context(), fresh, http.MethodGet, n.users) == "" {
			return true
		}
		if time.Now().After(until) {
			return false
		}
	}
}

// disturbed runs the program with a man in the middle, who strikes when the point
// comes. It reports whether it came.
func (n *night) disturbed(at crash.Point, strike crash.Strike) bool {
	n.Helper()
	m, host := n.middle()
	m.Arm(at, strike)
	j := n.start(n.command, "DOCKER_HOST="+host)
	m.Meet(crash.Victim{Process: j.command.Process, Ended: j.ended})
	select {
	case <-j.ended:
	case <-time.After(3 * time.Minute):
		n.Fatalf("it does not end:\n%s", &j.log)
	}
	return m.Met()
}

// steps are the points of a run that nobody disturbs.
func (p story) steps(t *testing.T) []crash.Point {
	t.Helper()
	n := p.begin(t)
	m, host := n.middle()
	j := n.start(n.command, "DOCKER_HOST="+host)
	r := j.wait()
	if r.exit != p.exit {
		t.Fatalf("exit code %d, %s: %s", r.exit, r.Outcome, r.Error)
	}
	n.right(r)
	return crash.Points(m.Deeds())
}

// again runs the program once more, straight to the engine: everything must be right
// then.
func (n *night) again() {
	n.Helper()
	r := n.start(n.command).wait()
	if r.exit != n.exit || !slices.Contains(n.outcomes, r.Outcome) {
		n.Errorf("the next run ended with exit code %d, %s: %s", r.exit, r.Outcome, r.Error)
	}
	n.right(r)
}

// right fails the test when something else serves than one gateway, of the right
// image and with the settings from before, or the report says something else, or
// anything is left.
func (n *night) right(r result) {
	n.Helper()
	c, err := n.find(n.Context(), n.name)
	if err != nil || c == nil {
		n.Fatalf("there is no %s: %v", n.name, err)
	}
	if c.State.Status != "running" {
		n.Errorf("%s is %s", n.name, c.State.Status)
	}
	if !n.answers(0) {
		n.Errorf("users are not served: %s", ask(n.Context(), fresh, http.MethodGet, n.users))
	}
	if r.After == nil || r.After.ID != c.ID {
		n.Errorf("the report says that %+v serves, and it is %s", r.After, c.ID)
	}
	if n.back && c.ID != n.before.ID {
		n.Errorf("%s serves, not the container from before, %s", c.ID, n.before.ID)
	}
	if !n.back && r.Image.Digest != "" && !strings.Contains(c.Config.Image, r.Image.Digest) {
		n.Errorf("%s runs, and the report says %s", c.Config.Image, r.Image.Digest)
	}
	if !n.back && n.command == "upgrade" && !strings.Contains(c.Config.Image, ":"+tag183+"@") {
		n.Errorf("%s runs %s, not %s", n.name, c.Config.Image, tag183)
	}
	if n.before != nil {
		for _, own := range n.before.Config.Env {
			if name, value, _ := strings.Cut(own, "="); !strings.HasPrefix(name, "LAB_") && c.variable(name) != value {
				n.Errorf("%s is %q, and was %q", name, c.variable(name), value)
			}
		}
		if c.HostConfig.RestartPolicy.Name != "always" {
			n.Errorf("the restart policy is %q", c.HostConfig.RestartPolicy.Name)
		}
		if now := c.mount("/srv"); now != n.volume {
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
	soak, err := crash.ReadSoak()
	if err != nil {
		t.Fatal(err)
	}
	table := new(crash.Table)
	t.Cleanup(func() {
		lines := table.Lines("Docker")
		t.Logf("killed at every step:\n%s%s", crash.Heads, lines)
		if err := crash.Save(soak.Table, lines); err != nil {
			t.Error(err)
		}
	})
	all := make(map[string][]crash.Point)
	var mu sync.Mutex // all
	volumes := shared.engine.volumeNames(t)
	t.Run("points", func(t *testing.T) {
		for i, p := range stories {
			t.Run(p.title, func(t *testing.T) {
				t.Parallel()
				points := p.steps(t)
				table.Points(p.title, len(points))
				mu.Lock()
				all[p.title] = points
				mu.Unlock()
				if !soak.Every() {
					points = crash.Sample(points, 20, 5*i, decisive)
				}
				for _, at := range points {
					t.Run(at.String(), func(t *testing.T) {
						t.Parallel()
						p.crash(t, table, p.title, at, crash.Kill)
					})
				}
			})
		}
	})
	if soak.For > 0 {
		t.Run("random", func(t *testing.T) {
			soak.Random(t, all, func(t *testing.T, title string, at crash.Point, strike crash.Strike) {
				p := stories[slices.IndexFunc(stories, func(p story) bool { return p.title == title })]
				p.crash(t, table, "random faults", at, strike)
			})
		})
	}
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

// crash tries one point.
func (p story) crash(t *testing.T, table *crash.Table, row string, at crash.Point, strike crash.Strike) {
	t.Helper()
	end, met := crash.Lost, true
	defer func() {
		if t.Failed() {
			end = crash.Lost
		}
		t.Logf("%v (point met: %v)", end, met)
		table.Add(row, met, end)
	}()
	n := p.begin(t)
	met = n.disturbed(at, strike)
	end = crash.Restored
	if n.answers(2 * time.Second) {
		end = crash.Served
	}
	n.again()
}

func (e *engine) volumeNames(t *testing.T) (names []string) {
	t.Helper()
	list, err := e.volumes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		names = append(names, v.Name)
	}
	return names
}
