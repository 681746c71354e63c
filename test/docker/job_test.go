//go:build docker

package docker

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds one run of the program.
const patience = 3 * time.Minute

// job is one run of the program.
type job struct {
	testing.TB
	command *exec.Cmd
	dir     string // of its reports
	log     screen
	ended   chan struct{}
}

// screen is what a run has said so far.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// startJob starts the program. It is killed with the test, and its log shown when
// the test fails.
func startJob(t testing.TB, c *exec.Cmd, dir string) *job {
	t.Helper()
	j := &job{TB: t, command: c, dir: dir, ended: make(chan struct{})}
	c.Stdout, c.Stderr = &j.log, &j.log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(j.ended)
		_ = c.Wait()
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-j.ended
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(c.Args, " "), &j.log)
		}
	})
	return j
}

// kill ends the run without any warning, as a machine that goes away.
func (j *job) kill() {
	j.Helper()
	j.signal(syscall.SIGKILL)
	<-j.ended
}

func (j *job) signal(s os.Signal) {
	j.Helper()
	if err := j.command.Process.Signal(s); err != nil {
		j.Fatalf("the run is over already: %v\n%s", err, &j.log)
	}
}

// result is how a run ended: report.json and the log.
type result struct {
	Outcome string
	Error   string
	Image   struct{ Tag, Digest string }
	After   *struct{ ID, Image string }
	Changes []struct{ Field, From, To string }
	Checks  []check
	Outage  *float64 `json:"outage_seconds"`

	exit int
	log  string
}

type check struct{ ID, Stage, Verdict, Detail, Remedy string }

// check is a check of a stage: the last one, when it was made several times.
func (r result) check(id, stage string) check {
	var found check
	for _, c := range r.Checks {
		if c.ID == id && c.Stage == stage {
			found = c
		}
	}
	return found
}

// good reports whether a check has passed. That the estate's GitLab has no TLS, where a
// test does not ask for it, is worth a warning and no more.
func (c check) good() bool {
	return c.Verdict == "pass" || c.ID == "gateway.gitlab" && c.Verdict == "warn" && strings.HasSuffix(c.Detail, " keys, without TLS")
}

// wait waits for the end of the run.
func (j *job) wait() result {
	j.Helper()
	select {
	case <-j.ended:
	case <-time.After(patience):
		j.Fatalf("it does not end within %v:\n%s", patience, &j.log)
	}
	r := result{exit: j.command.ProcessState.ExitCode(), log: j.log.String()}
	data, err := os.ReadFile(filepath.Join(j.dir, "report.json"))
	if err != nil {
		j.Fatalf("%v\n%s", err, r.log)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		j.Fatalf("report.json: %v", err)
	}
	return r
}

// expect waits for the end of the run, which must be this one.
func (j *job) expect(exit int, outcome string) result {
	j.Helper()
	r := j.wait()
	if r.exit != exit || r.Outcome != outcome {
		j.Fatalf("exit code %d, %s, not %d, %s: %s", r.exit, r.Outcome, exit, outcome, r.Error)
	}
	return r
}

// says fails the test when the log or the report's error lacks a text.
func (r result) says(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.log, text) && !strings.Contains(r.Error, text) {
			t.Errorf("it does not say %q", text)
		}
	}
}
