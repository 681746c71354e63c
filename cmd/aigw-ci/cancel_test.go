package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/lab"
)

// grace is how long a CI job has between SIGTERM and SIGKILL here. With GitLab's runner
// it is longer, and what the program waits for is slower.
const grace = 20 * time.Second

// cancelling is how a job ends that somebody cancels.
type cancelling struct {
	name   string
	signal os.Signal
	after  time.Duration // until SIGKILL; 0: as long as the program needs, but no longer than grace
}

var cancellings = []cancelling{
	{"SIGTERM", syscall.SIGTERM, 0},
	{"SIGINT", os.Interrupt, 0},
	{"SIGTERM, then SIGKILL", syscall.SIGTERM, 50 * time.Millisecond},
}

// TestCancelledAtEveryCall cancels the program, as a process with its real signals, at
// every call that changes something on the engine. Within the grace it has its old
// gateway back, or says what else is true; when it is killed before it could, the same
// command once more, left alone, ends as if nothing had happened. Without -every-point
// it tries some.
func TestCancelledAtEveryCall(t *testing.T) {
	t.Parallel()
	bin := installed(t)
	for offset, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			estate := s.estate(t)
			points := s.points(t, estate)
			tried := 0
			for i, p := range points {
				for j, c := range cancellings {
					if !*everyPoint && (i+j+offset)%(2*s.sample()/5) != 0 {
						continue
					}
					tried++
					t.Run(fmt.Sprintf("%02d %v %d %s", i+1, p.deed, p.nth, c.name), func(t *testing.T) {
						t.Parallel()
						s.cancel(t, estate, p, c, bin)
					})
				}
			}
			t.Logf("%d calls of this run change something; with %d ways to cancel at each: %d, of which %d are tried", len(points), len(cancellings), len(points)*len(cancellings), tried)
		})
	}
}

// cancel runs the story, cancels it when it asks the engine for p, and runs it once more.
func (s story) cancel(t *testing.T, estate *lab.Estate, p point, c cancelling, bin string) {
	n := s.begin(t, estate)
	var out bytes.Buffer
	program := exec.Command(filepath.Join(bin, "aigw-ci"), "upgrade")
	program.Env, program.Stdout, program.Stderr = n.environ(), &out, &out
	started, asked := make(chan struct{}), make(chan struct{})
	n.at(p, func() {
		<-started
		_ = program.Process.Signal(c.signal)
		close(asked)
	})
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	select {
	case <-asked:
	case <-ended:
		t.Fatalf("it ended before it was asked to\n%s", &out)
	}
	patience := c.after
	if patience == 0 {
		patience = grace
	}
	late := false
	select {
	case <-ended:
	case <-time.After(patience):
		late = true
		_ = program.Process.Kill()
		<-ended
	}
	n.listen(nil)
	switch {
	case late && c.after == 0:
		t.Errorf("it did not end within %v\n%s", grace, &out)
	case late:
		n.outlive(t)
	default:
		if err := n.answered(program.ProcessState.ExitCode()); err != nil {
			t.Errorf("cancelled: %v\n%s", err, &out)
		}
	}
	n.quiet(t)
}

// answered wants that a cancelled run says what is: 8 with the gateway that was there
// before, or one of the codes that a run has that was over, or could not be begun.
func (n *night) answered(code int) error {
	if code != 8 {
		return n.truthful(code)
	}
	if err := keptContract(n.reports, code); err != nil {
		return err
	}
	return n.alone(context.Background(), n.old)
}
