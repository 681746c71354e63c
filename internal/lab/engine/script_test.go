package engine_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"aigw-ci/internal/lab/engine"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"
)

var starts = regexp.MustCompile(`^/containers/[^/]+/start$`)

func (l *lab) tryStart(name string) error {
	_, err := l.ContainerStart(l.ctx(), name, client.ContainerStartOptions{})
	return err
}

// lastCall is the last call to a path, as the engine recorded it.
func (l *lab) lastCall(path *regexp.Regexp) engine.Call {
	l.t.Helper()
	for _, c := range slices.Backward(l.engine.Journal()) {
		if path.MatchString(c.Path) {
			return c
		}
	}
	l.t.Fatalf("no call to %s", path)
	return engine.Call{}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault engine.Fault
		want  string // in the error
		done  bool   // the container runs all the same
	}{
		{"refused", engine.Fault{Status: 500, Message: "disk full"}, "disk full", false},
		{"dropped before", engine.Fault{Drop: true}, "EOF", false},
		{"dropped after", engine.Fault{Drop: true, After: true}, "EOF", true},
		{"lying", engine.Fault{Status: 500, Message: "it did not start", After: true}, "it did not start", true},
		{"late", engine.Fault{Delay: 10 * time.Millisecond}, "", true},
		{"answered late", engine.Fault{Delay: 10 * time.Millisecond, After: true}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, engine.Options{Script: []engine.Rule{{Method: "POST", Path: starts, Fault: tt.fault}}})
			l.create("one", noHost)
			err := l.tryStart("one")
			if tt.want == "" && err != nil {
				t.Error(err)
			} else if tt.want != "" {
				wantError(t, err, tt.want)
			}
			if got := l.inspect("one").State.Running; got != tt.done {
				t.Errorf("it runs: %v, want %v", got, tt.done)
			}
			// The rule hits once; the next call goes through.
			if err := l.tryStart("one"); err != nil {
				t.Errorf("the second call: %v", err)
			}
		})
	}
}

func TestRulesCountTheirCalls(t *testing.T) {
	t.Parallel()
	fail := engine.Fault{Status: 500, Message: "scripted"}
	for _, tt := range []struct {
		name string
		rule engine.Rule
		want []bool // of five calls for "one", which fail
	}{
		{"first", engine.Rule{Path: starts, Fault: fail}, []bool{true, false, false, false, false}},
		{"third", engine.Rule{Path: starts, Nth: 3, Fault: fail}, []bool{false, false, true, false, false}},
		{"always", engine.Rule{Path: starts, Always: true, Fault: fail}, []bool{true, true, true, true, true}},
		{"from the third on", engine.Rule{Path: starts, Nth: 3, Always: true, Fault: fail}, []bool{false, false, true, true, true}},
		{"its container", engine.Rule{Container: "one", Path: starts, Fault: fail}, []bool{true, false, false, false, false}},
		{"another container", engine.Rule{Container: "two", Path: starts, Always: true, Fault: fail}, []bool{false, false, false, false, false}},
		{"another method", engine.Rule{Method: "DELETE", Path: starts, Always: true, Fault: fail}, []bool{false, false, false, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, engine.Options{})
			id := l.create("one", noHost)
			l.engine.Add(tt.rule)
			var got []bool
			for range 5 {
				got = append(got, l.tryStart(id) != nil) // by ID: the rule knows the name
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfTwoRulesTheFirstActsAndBothCount(t *testing.T) {
	t.Parallel()
	l := newLab(t, engine.Options{})
	l.create("one", noHost)
	l.engine.Add(
		engine.Rule{Path: starts, Fault: engine.Fault{Status: 500, Message: "first"}},
		engine.Rule{Path: starts, Nth: 2, Fault: engine.Fault{Status: 500, Message: "second"}},
	)
	wantError(t, l.tryStart("one"), "first")
	wantError(t, l.tryStart("one"), "second")
}

func TestHeldCalls(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	l := newLab(t, engine.Options{})
	l.create("one", noHost)
	l.create("two", noHost)
	l.engine.Add(engine.Rule{Path: starts, Container: "one", Always: true, Fault: engine.Fault{Hold: release}})

	// A client that goes away takes its call with it.
	ctx, cancel := context.WithTimeout(l.ctx(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.ContainerStart(ctx, "one", client.ContainerStartOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a held call ended with %v", err)
	}
	if l.inspect("one").State.Running {
		t.Error("a held call was carried out")
	}
	l.start("two") // others pass

	done := make(chan error, 1)
	go func() { done <- l.tryStart("one") }()
	close(release)
	if err := <-done; err != nil || !l.inspect("one").State.Running {
		t.Errorf("released: error %v, state %+v", err, l.inspect("one").State)
	}
	if c := l.lastCall(starts); c.Status != http.StatusNoContent || c.Container != "one" {
		t.Errorf("recorded %+v", c)
	}
}

func TestAHeldCallEndsWithTheEngine(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	l := newLab(t, engine.Options{})
	l.create("one", noHost)
	l.engine.Add(engine.Rule{Path: starts, Fault: engine.Fault{Hold: never}})
	done := make(chan error, 1)
	go func() { done <- l.tryStart("one") }()
	for len(l.engine.Journal()) == 0 || !starts.MatchString(l.engine.Journal()[len(l.engine.Journal())-1].Path) {
		time.Sleep(time.Millisecond)
	}
	if err := l.engine.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("the held call was answered")
	}
}

func TestEveryChangeIsAStep(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var steps []engine.Call
	l := newLab(t, engine.Options{OnCall: func(c engine.Call) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, c)
	}})
	l.create("one", noHost)
	l.start("one")
	l.inspect("one")
	if _, err := l.ContainerList(l.ctx(), client.ContainerListOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ContainerRename(l.ctx(), "one", client.ContainerRenameOptions{NewName: "two"}); err != nil {
		t.Fatal(err)
	}
	l.stop("two")
	w := l.ContainerWait(l.ctx(), "two", client.ContainerWaitOptions{})
	<-w.Result
	l.network("net", client.NetworkCreateOptions{})
	if _, err := l.NetworkConnect(l.ctx(), "net", client.NetworkConnectOptions{Container: "two"}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ContainerRemove(l.ctx(), "two", client.ContainerRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	type step struct {
		Step                    int
		Method, Path, Container string
	}
	id := ""
	var got []step
	mu.Lock()
	defer mu.Unlock()
	for _, c := range steps {
		got = append(got, step{c.Step, c.Method, c.Path, c.Container})
		if c.Status != 0 {
			t.Errorf("told of a call that was answered already: %+v", c)
		}
	}
	want := []step{
		{1, "POST", "/images/create", ""},
		{2, "POST", "/containers/create", "one"},
		{3, "POST", "/containers/one/start", "one"},
		{4, "POST", "/containers/one/rename", "one"},
		{5, "POST", "/containers/two/stop", "two"},
		{6, "POST", "/networks/create", ""},
		{7, "POST", "/networks/net/connect", "two"},
		{8, "DELETE", "/containers/two", "two"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s%s", diff, id)
	}
	for _, c := range l.engine.Journal() {
		if c.Status == 0 || c.Status >= 400 {
			t.Errorf("recorded %+v", c)
		}
	}
}

func TestACallIsCarriedOutAlsoForAClientThatDied(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := newLab(t, engine.Options{OnCall: func(c engine.Call) {
		if starts.MatchString(c.Path) {
			cancel()
		}
	}})
	l.create("one", noHost)
	if _, err := l.ContainerStart(ctx, "one", client.ContainerStartOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	for !l.inspect("one").State.Running {
		time.Sleep(time.Millisecond)
	}
}
