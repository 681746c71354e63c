//go:build kubernetes

package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/test/crash"
	"aigw-ci/test/crowd"
	"aigw-ci/test/program"
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
		n.tell("upgrade").Expect(0, "installed")
		n.before = n.image()
		n.users = n.service()
		n.served(n.users)
	}
	n.settings["AIGW_CI_GATEWAY_ENVIRONMENT"] = secretly + "=after"
	n.estate.SetVersion("18.4.1-ee")
	n.publish(tag184, p.mode)
	if p.upgraded {
		n.tell("upgrade").Expect(0, "upgraded")
	}
	n.settings = program.With(n.settings, p.more...)
	return n
}

// tell starts the program in a hurry: a lock of three seconds, and not of thirty.
func (n *night) tell(command string, more ...string) *program.Job {
	n.Helper()
	path, err := hurried()
	if err != nil {
		n.Fatal(err)
	}
	return n.startProgram(path, command, more...)
}

// hurried is the program as the tests of cmd/aigw-ci run it. By the name aigw-ci their
// binary is the program itself, at a pace of its own. AIGW_TEST_HURRIED is one that is
// built already: linking it takes a while, in which the cluster would have nothing to do.
var hurried = sync.OnceValues(func() (string, error) {
	if built := os.Getenv("AIGW_TEST_HURRIED"); built != "" {
		return built, nil
	}
	path := filepath.Join(filepath.Dir(shared.program), "hurried", "aigw-ci")
	c := exec.Command("go", "test", "-c", "-o", path, program.AigwCI)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	said, err := c.CombinedOutput()
	if err != nil {
		return "", &os.PathError{Op: "building", Path: path + ": " + string(said), Err: err}
	}
	return path, nil
})

func (n *night) image() string {
	n.Helper()
	return n.get("deployment/"+release, "{.spec.template.spec.containers[0].image}")
}

// Start starts the program's command: see crash.Night.
func (n *night) Start(more ...string) *program.Job { return n.tell(n.command, more...) }

// Middle stands between the program and the API server.
func (n *night) Middle() (m *crash.Middle, setting string) {
	n.Helper()
	m, kubeconfig := n.middle()
	return m, "KUBECONFIG=" + kubeconfig
}

// Answers reports whether the gateway's users are served, within a time.
func (n *night) Answers(within time.Duration) bool {
	return n.users != "" && crowd.Answers(n.Context(), n.users, within)
}

// Right fails the test when something else serves than one gateway, of the right
// image and with the right settings, or the report says something else, or anything
// is left.
func (n *night) Right(r program.Result) {
	n.Helper()
	n.served(n.service())
	image, variable := n.image(), "after"
	wanted := map[string]string{"upgrade": tag184, "rollback": tag182}[n.command]
	switch {
	case n.back:
		variable = "before"
		if image != n.before {
			n.Errorf("%s serves, not the image from before, %s", image, n.before)
		}
	case !strings.HasSuffix(image, ":"+wanted+"@"+r.Image.Digest):
		n.Errorf("%s serves, not %s@%s", image, wanted, r.Image.Digest)
	}
	n.eventually("one pod of "+image, func() bool { return n.images() == image })
	source := n.get("deployment/"+release, `{.spec.template.spec.containers[0].env[?(@.name=="`+secretly+`")].valueFrom.secretKeyRef.name}`)
	data := map[string]string{}
	if err := json.Unmarshal([]byte(n.get("secret/"+source, "{.data}")), &data); err != nil {
		n.Errorf("the gateway's variables: %v", err)
	}
	if value, _ := base64.StdEncoding.DecodeString(data[secretly]); string(value) != variable {
		n.Errorf("%s is %q, want %q", secretly, value, variable)
	}
	n.settled(r)
}

// settled fails the test when Helm does not call the newest revision deployed, or the
// report names another one, or something of the program is left.
func (n *night) settled(r program.Result) {
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

// The crash matrix: the program is killed at every request that changes something in
// the cluster, before the API server gets it and after the API server has done it.
// The same command once more makes everything good. A sample of the points is tried
// here, and all of them, with random faults besides, in `make soak`.
func TestCrash(t *testing.T) {
	m := crash.Matrix{Target: "Kubernetes", Nth: 30, Shift: 7, Decisive: decisive}
	for _, p := range stories {
		begin := func(t *testing.T) crash.Night { return p.begin(t) }
		m.Stories = append(m.Stories, crash.Story{Title: p.title, Begin: begin, Exit: p.exit, Outcomes: p.outcomes})
	}
	m.Try(t)
}

// decisive are the points at which one gateway takes another's place.
func decisive(p crash.Point) bool {
	return p.After && p.Deed == "PATCH deployments "+release
}
