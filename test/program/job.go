package program

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience bounds one run of the program.
const Patience = 3 * time.Minute

// Job is one run of the program.
type Job struct {
	testing.TB
	Process *os.Process
	Dir     string // of its reports
	Log     *Screen
	Ended   <-chan struct{} // closed when it has

	command *exec.Cmd
}

// Start starts a program with a command and settings, which are all of its
// environment; more are settings for this run alone, "NAME=value". It is killed with
// the test, and its log shown when the test fails.
func Start(t testing.TB, path, command string, settings map[string]string, more ...string) *Job {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command(path, command)
	c.Dir = dir
	c.Env = Environment(With(With(settings, "AIGW_CI_REPORT_DIR=report"), more...))
	ended := make(chan struct{})
	j := &Job{TB: t, Dir: filepath.Join(dir, "report"), Log: new(Screen), Ended: ended, command: c}
	c.Stdout, c.Stderr = j.Log, j.Log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	j.Process = c.Process
	go func() {
		defer close(ended)
		_ = c.Wait()
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(c.Args, " "), j.Log)
		}
	})
	return j
}

// Kill ends the run without any warning, as a machine that goes away.
func (j *Job) Kill() {
	j.Helper()
	j.Signal(syscall.SIGKILL)
	<-j.Ended
}

// Signal sends a signal to the run, which must not be over yet.
func (j *Job) Signal(s os.Signal) {
	j.Helper()
	if err := j.Process.Signal(s); err != nil {
		j.Fatalf("the run is over already: %v\n%s", err, j.Log)
	}
}

// Until waits until the log says something, which a run must do before it ends.
func (j *Job) Until(text string) {
	j.Helper()
	for !strings.Contains(j.Log.String(), text) {
		select {
		case <-j.Ended:
			j.Fatalf("the run ended and did not say %q:\n%s", text, j.Log)
		case <-time.After(time.Millisecond):
		}
	}
}

// End waits for the end of the run, whatever it left.
func (j *Job) End() {
	j.Helper()
	select {
	case <-j.Ended:
	case <-time.After(Patience):
		j.Fatalf("it does not end within %v:\n%s", Patience, j.Log)
	}
}

// Wait waits for the end of the run, and reads its report.
func (j *Job) Wait() Result {
	j.Helper()
	j.End()
	r := Result{Exit: j.command.ProcessState.ExitCode(), Log: j.Log.String(), Dir: j.Dir}
	data, err := os.ReadFile(filepath.Join(j.Dir, "report.json"))
	if err != nil {
		j.Fatalf("%v\n%s", err, r.Log)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		j.Fatalf("report.json: %v", err)
	}
	return r
}

// Expect waits for the end of the run, which must be this one.
func (j *Job) Expect(exit int, outcome string) Result {
	j.Helper()
	r := j.Wait()
	if r.Exit != exit || r.Outcome != outcome {
		j.Fatalf("exit code %d, %s, not %d, %s: %s", r.Exit, r.Outcome, exit, outcome, r.Error)
	}
	return r
}
