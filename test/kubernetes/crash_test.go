//go:build kubernetes

package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/test/crash"
)

// story is one way of a run, from a state of the cluster to another.
type story struct {
	title   string
	command string
	more    []string // settings
	mode    gateway.Mode

	first    bool // nothing runs before
	upgraded bool // there is a revision to roll back to

	exit     int      // of a run that nothing disturbs
	back     bool     // the image and the settings from before serve in the end
	outcomes []string // of a run after one that was disturbed
}

var stories = []story{
	{title: "install", command: "upgrade", first: true, outcomes: []string{"installed", "upgraded", "unchanged"}},
	{title: "upgrade", command: "upgrade", outcomes: []string{"upgraded", "unchanged"}},
	{title: "failed rehearsal", command: "upgrade", mode: gateway.CrashAtBoot, exit: 4, back: true, outcomes: []string{"rejected"}},
	{title: "failed promotion", command: "upgrade", mode: gateway.CrashAtBoot, more: []string{"AIGW_CI_REHEARSE=false"}, exit: 4, back: true, outcomes: []string{"rolled_back"}},
	{title: "rollback", command: "rollback", upgraded: true, outcomes: []string{"rolled_back"}},
}

// secretly is a secret variable of the gateway: its value is in a Secret that belongs
// to one revision, and has to come back with it.
const secretly = "AWS_SECRET_ACCESS_KEY"

// night is a story being told in a world of its own.
type night struct {
	*world
	story
	users  string // where the gateway's users are; empty while there is no Service
	before string // the image of the Deployment
}

// begin makes the world as it is before the run.
func (p story) begin(t *testing.T) *night {
	t.Helper()
	n := &night{world: newWorld(t), story: p}
	n.robot()
	n.settings["AIGW_CI_VERIFY_HOLD"], n.settings["AIGW_CI_VERIFY_SUCCESSES"] = "1s", "1"
	if !p.first {
		n.settings["AIGW_CI_GATEWAY_ENVIRONMENT"] = secretly + "=before"
		n.tell("upgrade").expect(0, "installed")
		n.before = n.image()
		n.users = n.service()
		n.served(n.users)
	}
	n.settings["AIGW_CI_GATEWAY_ENVIRONMENT"] = secretly + "=after"
	n.estate.SetVersion("18.4.1-ee")
	n.publish(tag184, p.mode)
	if p.upgraded {
		n.tell("upgrade").expect(0, "upgraded")
	}
	for _, s := range p.more {
		name, value, _ := strings.Cut(s, "=")
		n.settings[name] = value
	}
	return n
}

// tell starts the program in a hurry: a lock of three seconds, and not of thirty.
func (n *night) tell(command string, more ...string) *job {
	n.Helper()
	program, err := hurried()
	if err != nil {
		n.Fatal(err)
	}
	return n.startProgram(program, command, more...)
}

// hurried is the program as the tests of cmd/aigw-ci run it. By the name aigw-ci their
// binary is the program itself, at a pace of its own. AIGW_TEST_HURRIED is one that is
// built already: linking it takes a while, in which the cluster would have nothing to do.
var hurried = sync.OnceValues(func() (string, error) {
	if built := os.Getenv("AIGW_TEST_HURRIED"); built != "" {
		return built, nil
	}
	program := filepath.Join(filepath.Dir(shared.program), "hurried", "aigw-ci")
	c := exec.Command("go", "test", "-c", "-o", program, "aigw-ci/cmd/aigw-ci")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	said, err := c.CombinedOutput()
	if err != nil {
		return "", &os.PathError{Op: "building", Path: program + ": " + string(said), Err: err}
	}
	return program, nil
})

func (n *night) image() string {
	n.Helper()
	return n.get("deployment/"+release, "{.spec.template.spec.containers[0].image}")
}

// disturbed runs the program with a man in the middle, who strikes when the point
// comes. It reports whether it came.
func (n *night) disturbed(at crash.Point, strike crash.Strike) bool {
	n.Helper()
	m, kubeconfig := n.middle()
	m.Arm(at, strike)
	j := n.tell(n.command, "KUBECONFIG="+kubeconfig)
	m.Meet(crash.Victim{Process: j.command.Process, Ended: j.ended})
	select {
	case <-j.ended:
	case <-time.After(patience):
		n.Fatalf("it does not end:\n%s", &j.log)
	}
	return m.Met()
}

// steps are the points of a run that nobody disturbs.
func (p story) steps(t *testing.T) []crash.Point {
	t.Helper()
	n := p.begin(t)
	m, kubeconfig := n.middle()
	r := n.tell(n.command, "KUBECONFIG="+kubeconfig).wait()
	if r.exit != p.exit {
		t.Fatalf("exit code %d, %s: %s", r.exit, r.Outcome, r.Error)
	}
	n.right(r)
	return crash.Points(m.Deeds())
}

// again runs the program once more, straight to the API server: everything must be
// right then.
func (n *night) again() {
	n.Helper()
	r := n.tell(n.command).wait()
	if r.exit != n.exit || !slices.Contains(n.outcomes, r.Outcome) {
		n.Errorf("the next run ended with exit code %d, %s: %s", r.exit, r.Outcome, r.Error)
	}
	n.right(r)
}

// right fails the test when something else serves than one gateway, of the right
// image and with the right settings, or the report says something else, or anything
// is left.
func (n *night) right(r result) {
	n.Helper()
	n.served(n.service())
	image, variable := n.image(), "after"
	switch {
	case n.back:
		variable = "before"
		if image != n.before {
			n.Errorf("%s serves, not the image from before, %s", image, n.before)
		}
	case n.command == "rollback" && r.Image.Tag == "": // it ended what was under way, and had no image to look for
	case !strings.HasSuffix(image, ":"+r.Image.Tag+"@"+r.Image.Digest):
		n.Errorf("%s serves, and the report says %s@%s", image, r.Image.Tag, r.Image.Digest)
	case n.command == "upgrade" && r.Image.Tag != tag184:
		n.Errorf("%s serves, not %s", r.Image.Tag, tag184)
	}
	n.eventually("one pod of "+image, func() bool { return n.images() == image })
	source := n.get("deployment/"+release, `{.spec.template.spec.containers[0].env[?(@.name=="`+secretly+`")].valueFrom.secretKeyRef.name}`)
	data := map[string]string{}
	if err := json.Unmarshal([]byte(n.get("secret/"+source, "{.data}")), &data); err != nil {
		n.Errorf("the gateway's variables: %v", err)
	}
	if value, _ := base64.StdEncoding.DecodeString(data[secretly]); n.command == "upgrade" && string(value) != variable {
		n.Errorf("%s is %q, want %q", secretly, value, variable)
	}
	n.settled(r)
}

// settled fails the test when Helm does not call the newest revision deployed, or the
// report names another one, or something of the program is left.
func (n *night) settled(r result) {
	n.Helper()
	var last struct {
		Version int
		Info    struct{ Status string }
	}
	if err := json.Unmarshal([]byte(n.helm(4, "status", release, "--output", "json")), &last); err != nil {
		n.Fatal(err)
	}
	if last.Info.Status != "deployed" {
		n.Errorf("Helm calls revision %d %s", last.Version, last.Info.Status)
	}
	if pending := n.kubectl("get", "secrets", "--selector=owner=helm,status in (pending-install,pending-upgrade,pending-rollback,uninstalling)", "--output=name"); pending != "" {
		n.Errorf("for Helm something is still going on: %s", pending)
	}
	if r.After == nil || r.After.Image != n.image() {
		n.Errorf("the report says that %+v serves, and it is %s", r.After, n.image())
	}
	n.nothingLeft()
	if holder := n.get("lease/aigw-ci."+release, "{.spec.holderIdentity}"); holder != "" {
		n.Errorf("the lock is still held by %s", holder)
	}
	var record struct {
		Pending any
	}
	if data, err := base64.StdEncoding.DecodeString(n.get("secret/aigw-ci."+release, "{.data.record}")); err != nil || json.Unmarshal(data, &record) != nil || record.Pending != nil {
		n.Errorf("the record says that an upgrade is under way: %+v", record)
	}
	// What no revision refers to is of no use to anybody.
	var manifests strings.Builder
	for version := last.Version; version > max(0, last.Version-10); version-- {
		manifests.WriteString(n.helm(4, "get", "manifest", release, "--revision", strconv.Itoa(version)))
	}
	for name := range strings.FieldsSeq(n.kubectl("get", "secrets,configmaps", "--selector=app.kubernetes.io/managed-by=aigw-ci", "--output=jsonpath={.items[*].metadata.name}")) {
		if name != "aigw-ci."+release && !strings.Contains(manifests.String(), name) {
			n.Errorf("%s is left", name)
		}
	}
}

// answers reports whether the gateway's users are served, within a time.
func (n *night) answers(within time.Duration) bool {
	if n.users == "" {
		return false
	}
	for until := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		if ask(n.Context(), fresh, http.MethodGet, n.users) == "" {
			return true
		}
		if time.Now().After(until) {
			return false
		}
	}
}

// The crash matrix: the program is killed at every request that changes something in
// the cluster, before the API server gets it and after the API server has done it.
// The same command once more makes everything good. A sample of the points is tried
// here, and all of them, with random faults besides, in `make soak`.
func TestCrash(t *testing.T) {
	soak, err := crash.ReadSoak()
	if err != nil {
		t.Fatal(err)
	}
	table := new(crash.Table)
	t.Cleanup(func() {
		lines := table.Lines("Kubernetes")
		t.Logf("killed at every step:\n%s%s", crash.Heads, lines)
		if err := crash.Save(soak.Table, lines); err != nil {
			t.Error(err)
		}
	})
	all := make(map[string][]crash.Point)
	var mu sync.Mutex // all
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
					points = crash.Sample(points, 30, 7*i, decisive)
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
}

// decisive are the points at which one gateway takes another's place.
func decisive(p crash.Point) bool {
	return p.After && p.Deed == "PATCH deployments "+release
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
