package docker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/upgrade"
)

const lockName = "gitlab-aigw.aigw-ci-lock"

func take(e *Engine, who string) (<-chan struct{}, func(context.Context) error, error) {
	return e.Lock(context.Background(), LockOptions{Container: "gitlab-aigw", Who: who})
}

// die makes the holder of a lock stop as if it had been killed: no more signs of
// life, and nothing is given back.
func die(s *stubEngine, t *testing.T) {
	t.Helper()
	e := s.engine(t, nil)
	l := &lock{engine: e, name: lockName, place: upgrade.Place{Name: "gitlab-aigw"}, holder: upgrade.Holder{Who: "a dead job", Since: time.Now()}}
	id, err := l.create(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.writeBeat(context.Background(), id, 7); err != nil {
		t.Fatal(err)
	}
}

// An engine makes what it was asked for also when the run was cancelled meanwhile.
func TestLockOfACancelledRunIsTakenAway(t *testing.T) {
	for name, never := range map[string]bool{"made": false, "never made": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				s := newStub()
				s.images[lockImage] = "sha256:0"
				s.fail = func(_ http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != "/containers/create" {
						return false
					}
					body, _ := io.ReadAll(r.Body) // all of it is here when the run is cancelled
					r.Body = io.NopCloser(bytes.NewReader(body))
					cancel()
					if never {
						<-r.Context().Done()
					} else {
						time.Sleep(2 * time.Second)
					}
					return never
				}
				began := time.Now()
				_, _, err := s.engine(t, nil).Lock(ctx, LockOptions{Container: "gitlab-aigw"})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Lock: %v", err)
				}
				if took := time.Since(began); took > answerTime {
					t.Errorf("the run waits for %v", took)
				}
				time.Sleep(time.Minute)
				if names := s.names(); len(names) > 0 {
					t.Errorf("%q are left", names)
				}
			})
		})
	}
}

func TestLockNamesTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStub()
		_, release, err := take(s.engine(t, nil), "https://gitlab.example.com/jobs/1")
		if err != nil {
			t.Fatal(err)
		}
		since := time.Now().Truncate(time.Second)
		time.Sleep(time.Minute + 500*time.Millisecond) // between two signs of life

		start := time.Now()
		_, _, err = take(s.engine(t, nil), "https://gitlab.example.com/jobs/2")
		var locked *upgrade.LockedError
		if !errors.As(err, &locked) {
			t.Fatalf("second run: %v, want a LockedError", err)
		}
		if locked.Holder.Who != "https://gitlab.example.com/jobs/1" || !locked.Holder.Since.Equal(since) {
			t.Errorf("holder %+v, want job 1 since %v", locked.Holder, since)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v to see that the holder lives", took)
		}
		if err := release(context.Background()); err != nil {
			t.Fatal(err)
		}
		if names := s.names(); len(names) != 0 || len(s.images) != 0 {
			t.Errorf("left behind: containers %v, images %v", names, s.images)
		}
		_, release, err = take(s.engine(t, nil), "third")
		if err != nil {
			t.Fatalf("after release: %v", err)
		}
		_ = release(context.Background())
	})
}

func TestLockHasOneWinner(t *testing.T) {
	for _, dead := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStub()
			if dead {
				die(s, t)
			}
			var won, lost atomic.Int32
			var contenders sync.WaitGroup
			releases := make(chan func(context.Context) error, 20)
			for range 20 {
				e := s.engine(t, nil)
				contenders.Go(func() {
					_, release, err := take(e, "a contender")
					var locked *upgrade.LockedError
					switch {
					case err == nil:
						won.Add(1)
						releases <- release
					case errors.As(err, &locked):
						lost.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			contenders.Wait()
			if won.Load() != 1 || lost.Load() != 19 {
				t.Errorf("dead holder %v: %d won and %d were told that it is locked, want 1 and 19", dead, won.Load(), lost.Load())
			}
			close(releases)
			for release := range releases {
				_ = release(context.Background())
			}
		})
	}
}

func TestLockOfADeadRunIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStub()
		die(s, t)
		start := time.Now()
		var log recorder
		lost, release, err := take(s.engine(t, log.log()), "the next job")
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < lockTTL || took > lockTTL+2*time.Second {
			t.Errorf("taken over after %v, want just over %v", took, lockTTL)
		}
		if !strings.Contains(log.String(), "a dead job") {
			t.Errorf("the log does not say whose lock was taken over: %s", &log)
		}
		time.Sleep(time.Minute)
		select {
		case <-lost:
			t.Error("the new lock was lost")
		default:
		}
		_ = release(context.Background())
	})
}

// A contender may decide that a holder is dead and be slow to act on it. What it
// removes then must be the container it watched, not the one that has its name now.
func TestTakeoverRemovesOnlyWhatWasWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStub()
		die(s, t)
		var release func(context.Context) error
		var once sync.Once
		other := s.engine(t, nil)
		slow := func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodDelete {
				once.Do(func() {
					s.mu.Lock()
					clear(s.containers) // somebody else was faster
					s.mu.Unlock()
					s.fail = nil
					var err error
					if _, release, err = take(other, "the faster job"); err != nil {
						t.Error(err)
					}
				})
			}
			return false
		}
		s.fail = slow
		_, _, err := take(s.engine(t, nil), "the slower job")
		var locked *upgrade.LockedError
		if !errors.As(err, &locked) || locked.Holder.Who != "the faster job" {
			t.Errorf("the slower job: %v, want to be told of the faster job", err)
		}
		if release != nil {
			_ = release(context.Background())
		}
	})
}

func TestLockIsLost(t *testing.T) {
	down := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			refuse(w, http.StatusInternalServerError, "out of order")
			return true
		}
		return false
	}
	hang := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client left
			<-r.Context().Done()
			return true
		}
		return false
	}
	tests := []struct {
		name    string
		fail    func(http.ResponseWriter, *http.Request) bool
		outage  time.Duration
		removed bool
		want    bool
	}{
		{name: "healthy", outage: time.Minute},
		{name: "hiccup", fail: down, outage: lockTTL - 3*time.Second},
		{name: "engine fails", fail: down, outage: lockTTL, want: true},
		{name: "short hang", fail: hang, outage: lockTTL / 2},
		{name: "engine hangs", fail: hang, outage: lockTTL, want: true},
		{name: "taken over", removed: true, outage: 2 * time.Second, want: true},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := newStub()
			var failing atomic.Bool
			s.fail = func(w http.ResponseWriter, r *http.Request) bool {
				return failing.Load() && test.fail != nil && test.fail(w, r)
			}
			lost, release, err := take(s.engine(t, nil), "me")
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(5*time.Second + 100*time.Millisecond)
			failing.Store(true)
			if test.removed {
				s.mu.Lock()
				clear(s.containers)
				s.mu.Unlock()
			}
			time.Sleep(test.outage)
			failing.Store(false)
			got := false
			select {
			case <-lost:
				got = true
			default:
			}
			if got != test.want {
				t.Errorf("%s for %v: lost %v, want %v", test.name, test.outage, got, test.want)
			}
			if err := release(context.Background()); err != nil {
				t.Errorf("%s: release: %v", test.name, err)
			}
		})
	}
}

// While the engine does not answer, a contender learns nothing about the holder.
func TestUnreadableLockIsNotTakenOver(t *testing.T) {
	for _, readable := range []int32{0, 1, 3} { // how often, before it cannot be read any more
		synctest.Test(t, func(t *testing.T) {
			s := newStub()
			die(s, t)
			var reads atomic.Int32
			s.fail = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/archive") && reads.Add(1) > readable {
					refuse(w, http.StatusInternalServerError, "out of order")
					return true
				}
				return false
			}
			_, _, err := take(s.engine(t, nil), "me")
			if err == nil || !strings.Contains(err.Error(), "out of order") {
				t.Errorf("error %v, want the engine's", err)
			}
			if names := s.names(); len(names) != 1 {
				t.Errorf("containers %v, want the lock untouched", names)
			}
		})
	}
}

func TestLockSurvivesCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStub()
		ctx, cancel := context.WithCancel(context.Background())
		lost, release, err := s.engine(t, nil).Lock(ctx, LockOptions{Container: "gitlab-aigw", Who: "me"})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(time.Minute)
		select {
		case <-lost:
			t.Error("a cancelled job lost its lock; it still has to roll back")
		default:
		}
		if _, _, err := take(s.engine(t, nil), "another"); err == nil {
			t.Error("another run got the lock of a cancelled job that is still at work")
		}
		_ = release(context.Background())
	})
}

func TestLockNameTakenByAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStub()
		s.containers["1"] = &stubContainer{ID: "1", Name: lockName}
		s.images[lockImage] = RoleLock
		_, _, err := take(s.engine(t, nil), "me")
		if err == nil || !strings.Contains(err.Error(), "rename or remove it") {
			t.Errorf("error %v, want one that says what to do", err)
		}
		if len(s.names()) != 1 {
			t.Error("the stranger's container was removed")
		}
	})
}
