package main

import (
	"flag"
	"fmt"
	"net/http"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/engine"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
)

var everyPoint = flag.Bool("every-point", false, "try every point of failure, and not a sample")

// story is one way of an upgrade, from a state of the engine to another.
type story struct {
	name   string
	gitlab string

	broken  bool // the release dies when users come, and is rolled back
	proxied bool // no port is published, so both gateways run for a moment

	old string // the tag that runs before; "" is none
	new string // the tag that belongs to GitLab's version

	code int    // of a run that nothing disturbs
	end  string // the tag that serves after it
}

var stories = []story{
	{name: "install", gitlab: "18.2.1-ee", new: "self-hosted-v18.2.8-ee", code: 0, end: "self-hosted-v18.2.8-ee"},
	{name: "upgrade", gitlab: "18.3.6-ee", old: "self-hosted-v18.2.8-ee", new: "self-hosted-v18.3.1-ee", code: 0, end: "self-hosted-v18.3.1-ee"},
	{name: "behind a proxy", gitlab: "18.3.6-ee", proxied: true, old: "self-hosted-v18.2.8-ee", new: "self-hosted-v18.3.1-ee", code: 0, end: "self-hosted-v18.3.1-ee"},
	{name: "rollback", gitlab: "18.3.6-ee", broken: true, old: "self-hosted-v18.2.8-ee", new: "self-hosted-v18.3.1-ee", code: 4, end: "self-hosted-v18.2.8-ee"},
}

// disturbance is what happens at one point of a run: the engine's answer is
// another, the engine restarts, or the program is killed. What it asked for last is
// then still carried out.
type disturbance struct {
	name    string
	fault   *engine.Fault
	restart bool
}

var disturbances = []disturbance{
	{name: "killed"},
	{name: "refused", fault: &engine.Fault{Status: 500, Message: "the disk is full"}},
	{name: "refused but done", fault: &engine.Fault{After: true, Status: 500, Message: "the disk is full"}},
	{name: "cut off", fault: &engine.Fault{Drop: true}},
	{name: "cut off but done", fault: &engine.Fault{After: true, Drop: true}},
	{name: "restarted", restart: true},
}

// point is a deed of a run: the nth time it is done.
type point struct {
	deed
	nth int
}

// TestFailureOrder disturbs a run at every call that changes something on the
// engine: what it says of itself must be true, and the same command once more, left
// alone, must end as if nothing had happened. Without -every-point it tries some.
func TestFailureOrder(t *testing.T) {
	t.Parallel()
	for offset, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			estate := s.estate(t)
			points := s.points(t, estate)
			tried, all := 0, len(points)*len(disturbances)
			for i, p := range points {
				for j, d := range disturbances {
					if !*everyPoint && (i+j+offset)%s.sample() != 0 {
						continue
					}
					tried++
					t.Run(fmt.Sprintf("%02d %v %d %s", i+1, p.deed, p.nth, d.name), func(t *testing.T) {
						t.Parallel()
						s.disturb(t, estate, p, d)
					})
				}
			}
			t.Logf("%d calls of this run change something; with %d disturbances of each: %d, of which %d are tried", len(points), len(disturbances), all, tried)
		})
	}
}

// sample says how few are tried without -every-point: one of so many. It is enough to
// notice a mistake while one works; "make failures" tries them all.
func (s story) sample() int {
	if s.proxied { // takes its time: proxies have to look again
		return 10 * len(disturbances)
	}
	return 5 * len(disturbances)
}

func (s story) estate(t *testing.T) *lab.Estate {
	e := newEstate(t)
	e.SetVersion(s.gitlab)
	if s.broken {
		if err := e.PublishImage(image.Options{Tag: s.new, Mode: gateway.DiesWithUsers, After: 50 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// points runs the story once, and notes its deeds. Of the lock's signs of life,
// which come by the clock, only the first counts.
func (s story) points(t *testing.T, estate *lab.Estate) []point {
	n := s.begin(t, estate)
	started := len(n.engine.Journal())
	n.quiet(t)
	var points []point
	times := map[deed]int{}
	for _, c := range n.engine.Journal()[started:] {
		d := deedOf(c)
		if c.Step == 0 || late(c) || c.Method == http.MethodPut && ofLock(c) && times[d] > 0 {
			continue
		}
		times[d]++
		points = append(points, point{d, times[d]})
	}
	return points
}

// disturb runs the story with one disturbance, and then once more.
func (s story) disturb(t *testing.T, estate *lab.Estate, p point, d disturbance) {
	n := s.begin(t, estate)
	code, said := 0, ""
	switch {
	case d.fault != nil:
		n.engine.Add(p.rule(p.nth, *d.fault))
		code, said = n.run(t)
	case d.restart:
		code, said = n.runRestarted(t, p)
	default:
		n.runKilled(t, p)
		n.outlive(t)
		n.quiet(t)
		return
	}
	if err := n.truthful(code); err != nil {
		t.Errorf("disturbed: %v\n%s", err, said)
	}
	n.quiet(t)
}
