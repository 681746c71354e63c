package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"aigw-ci/internal/upgrade"
)

const leaseName = "aigw-ci.ai-gateway"

var leaseResource = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// leaseServer is an API server for one Lease that checks resource versions, which
// client-go's own fake does not.
type leaseServer struct {
	mu      sync.Mutex
	stored  *coordinationv1.Lease
	version int
	gone    bool // nobody answers
	noSpace bool // the namespace is not there
	writes  int
}

func (s *leaseServer) cluster() *Cluster {
	api := fake.NewClientset()
	api.PrependReactor("*", "leases", func(a clienttesting.Action) (bool, runtime.Object, error) {
		time.Sleep(time.Millisecond) // everything takes its time, so contenders overtake each other
		s.mu.Lock()
		defer s.mu.Unlock()
		l, err := s.react(a)
		return true, l, err
	})
	return &Cluster{api: api, namespace: "gateway", log: slog.New(slog.DiscardHandler)}
}

func (s *leaseServer) react(a clienttesting.Action) (*coordinationv1.Lease, error) {
	if s.gone {
		return nil, syscall.ECONNREFUSED
	}
	if create, ok := a.(clienttesting.CreateAction); ok && a.GetVerb() == "create" {
		switch {
		case s.noSpace:
			return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "gateway")
		case s.stored != nil:
			return nil, apierrors.NewAlreadyExists(leaseResource, leaseName)
		}
		made := create.GetObject().(*coordinationv1.Lease).DeepCopy()
		made.UID = types.UID("uid-" + strconv.Itoa(s.version))
		return s.store(made), nil
	}
	if s.stored == nil {
		return nil, apierrors.NewNotFound(leaseResource, leaseName)
	}
	if update, ok := a.(clienttesting.UpdateAction); ok && a.GetVerb() == "update" {
		next := update.GetObject().(*coordinationv1.Lease)
		if next.ResourceVersion != s.stored.ResourceVersion {
			return nil, apierrors.NewConflict(leaseResource, leaseName, errors.New("the object has been modified"))
		}
		return s.store(next.DeepCopy()), nil
	}
	return s.stored.DeepCopy(), nil
}

func (s *leaseServer) store(l *coordinationv1.Lease) *coordinationv1.Lease {
	s.version++
	s.writes++
	l.ResourceVersion = strconv.Itoa(s.version)
	s.stored = l
	return l.DeepCopy()
}

func (s *leaseServer) change(do func(*leaseServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(s)
}

// now is the lease as it is stored, nil without one, and how often it was written.
func (s *leaseServer) now() (*coordinationv1.Lease, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored.DeepCopy(), s.writes
}

// dead is the lease of a run that was killed so long ago.
func (s *leaseServer) dead(ago time.Duration) {
	at := metav1.NewMicroTime(time.Now().Add(-ago))
	s.change(func(s *leaseServer) {
		s.store(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName, UID: "dead"}, Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("a dead job"), AcquireTime: &at, RenewTime: &at, LeaseDurationSeconds: new(int32(30)),
		}})
	})
}

func take(c *Cluster, who string) (<-chan struct{}, func(context.Context) error, error) {
	return c.lock(context.Background(), leaseOptions{name: leaseName, who: who, place: upgrade.Place{Kind: "kubernetes", Name: "gateway/ai-gateway"}})
}

func isLost(lost <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-lost:
		return true
	default:
		return false
	}
}

func TestLeaseNamesTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		lost, release, err := take(s.cluster(), "https://gitlab.example.com/jobs/1")
		if err != nil {
			t.Fatal(err)
		}
		taken, _ := s.now()
		since := taken.Spec.AcquireTime.Time
		time.Sleep(10 * time.Minute)
		if isLost(lost) {
			t.Fatal("lost without anybody doing anything")
		}
		start := time.Now()
		_, _, err = take(s.cluster(), "https://gitlab.example.com/jobs/2")
		var locked *upgrade.LockedError
		if !errors.As(err, &locked) {
			t.Fatalf("second run: %v, want a LockedError", err)
		}
		if locked.Holder.Who != "https://gitlab.example.com/jobs/1" || !locked.Holder.Since.Equal(since) {
			t.Errorf("holder %+v, want job 1 since %v", locked.Holder, since)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v to see that the holder lives", took)
		}
		if err := release(context.Background()); err != nil {
			t.Fatal(err)
		}
		if left, _ := s.now(); left == nil || holderOf(left) != "" {
			t.Errorf("after release the lease is %+v, want one without a holder", left)
		}
		start = time.Now()
		_, release, err = take(s.cluster(), "third")
		if err != nil || time.Since(start) > time.Second {
			t.Fatalf("after release: %v, after %v", err, time.Since(start))
		}
		_ = release(context.Background())
	})
}

func TestLeaseHasOneWinner(t *testing.T) {
	for _, begin := range []string{"nothing", "given back", "dead"} {
		synctest.Test(t, func(t *testing.T) {
			s := &leaseServer{}
			switch begin {
			case "dead":
				s.dead(time.Minute)
			case "given back":
				s.dead(time.Minute)
				s.stored.Spec.HolderIdentity = new("")
			}
			var won, refused atomic.Int32
			var contenders sync.WaitGroup
			releases := make(chan func(context.Context) error, 20)
			for range 20 {
				c := s.cluster()
				contenders.Go(func() {
					_, release, err := take(c, "a contender") // all with one name: it is no identity
					switch {
					case err == nil:
						won.Add(1)
						releases <- release
					case errors.As(err, new(*upgrade.LockedError)):
						refused.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			contenders.Wait()
			if won.Load() != 1 || refused.Load() != 19 {
				t.Errorf("%s: %d won and %d were told that it is locked, want 1 and 19", begin, won.Load(), refused.Load())
			}
			close(releases)
			for release := range releases {
				_ = release(context.Background())
			}
		})
	}
}

func TestLeaseOfADeadRunIsTakenOver(t *testing.T) {
	tests := []struct {
		name     string
		ago      time.Duration // by our clock
		at, most time.Duration
	}{
		{"killed just now", 0, leaseTTL, leaseTTL + 3*time.Second},
		{"its clock is ahead of ours", -time.Hour, leaseTTL, leaseTTL + 3*time.Second},
		{"killed yesterday", 24 * time.Hour, leaseTTL / 2, leaseTTL/2 + 3*time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &leaseServer{}
				s.dead(tt.ago)
				start := time.Now()
				lost, release, err := take(s.cluster(), "the next job")
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took < tt.at || took > tt.most {
					t.Errorf("taken over after %v, want between %v and %v", took, tt.at, tt.most)
				}
				time.Sleep(time.Minute)
				if isLost(lost) {
					t.Error("the new lock was lost")
				}
				_ = release(context.Background())
			})
		})
	}
}

// A living holder's clock may be a day behind ours.
func TestLeaseOfAHolderWithAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		s.dead(24 * time.Hour)
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		go func() {
			for pause(ctx, leaseTTL/6) == nil {
				s.change(func(s *leaseServer) {
					next := s.stored.DeepCopy()
					next.Spec.RenewTime = new(metav1.NewMicroTime(next.Spec.RenewTime.Add(leaseTTL / 6)))
					s.store(next)
				})
			}
		}()
		if _, _, err := take(s.cluster(), "the next job"); !errors.As(err, new(*upgrade.LockedError)) {
			t.Errorf("got %v, want a LockedError", err)
		}
	})
}

func TestLeaseOutlivesAnAbsence(t *testing.T) {
	// At whatever moment between two renewals the API server goes.
	for at := range 10 {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &leaseServer{}
				lost, release, err := take(s.cluster(), "job 1")
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(20*time.Second + time.Duration(at)*500*time.Millisecond)
				s.change(func(s *leaseServer) { s.gone = true })
				time.Sleep(20 * time.Second)
				s.change(func(s *leaseServer) { s.gone = false })
				time.Sleep(time.Minute)
				if isLost(lost) {
					t.Error("lost, although nobody took it")
				}
				if err := release(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The holder has to know that its lock is gone before anybody else can have it.
func TestLeaseIsLostBeforeOthersHaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		lost, release, err := take(s.cluster(), "job 1")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(leaseTTL/6 + leaseTTL/12)
		before, _ := s.now()
		renewed := before.Spec.RenewTime.Time
		s.change(func(s *leaseServer) { s.gone = true })
		<-lost
		if after := time.Since(renewed); after >= leaseTTL || after < leaseTTL*3/4 {
			t.Errorf("lost %v after the last renewal, want shortly before %v", after, leaseTTL)
		}
		s.change(func(s *leaseServer) { s.gone = false })
		_, writes := s.now()
		err = release(context.Background())
		if _, more := s.now(); err != nil || more != writes {
			t.Errorf("release of a lost lock: %v, %d writes", err, more-writes)
		}
	})
}

func TestLeaseIsLostToAnother(t *testing.T) {
	tests := map[string]func(*leaseServer){
		"taken":   func(s *leaseServer) { s.store(withHolder(s.stored, "somebody")) },
		"removed": func(s *leaseServer) { s.stored = nil },
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &leaseServer{}
				c := s.cluster()
				lost, release, err := take(c, "job 1")
				if err != nil {
					t.Fatal(err)
				}
				s.change(do)
				time.Sleep(leaseTTL/6 + time.Second)
				if !isLost(lost) {
					t.Error("not noticed with the next renewal")
				}
				if !c.presence.closed() {
					t.Error("something could still be changed")
				}
				_ = release(context.Background())
				if left, _ := s.now(); left != nil && holderOf(left) != "somebody" {
					t.Error("the lock of somebody else was given back")
				}
			})
		})
	}
}

func withHolder(l *coordinationv1.Lease, who string) *coordinationv1.Lease {
	l = l.DeepCopy()
	l.Spec.HolderIdentity = &who
	return l
}

// A label that somebody puts on the Lease changes its version, and nothing else.
func TestLeaseWithALabel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		lost, release, err := take(s.cluster(), "job 1")
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			s.change(func(s *leaseServer) { s.store(s.stored.DeepCopy()) })
			time.Sleep(3 * time.Second)
		}
		if isLost(lost) {
			t.Error("lost to a label")
		}
		s.change(func(s *leaseServer) { s.store(s.stored.DeepCopy()) })
		err = release(context.Background())
		if left, _ := s.now(); err != nil || holderOf(left) != "" {
			t.Errorf("release: %v, holder %q", err, holderOf(left))
		}
	})
}

func TestLeaseWithoutNamespaceOrServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, _, err := take((&leaseServer{noSpace: true}).cluster(), "job"); !errors.Is(err, errNoNamespace) {
			t.Errorf("got %v, want errNoNamespace", err)
		}
		var temporary interface{ Temporary() bool }
		if _, _, err := take((&leaseServer{gone: true}).cluster(), "job"); !errors.As(err, &temporary) || !temporary.Temporary() {
			t.Errorf("got %v, want a temporary error", err)
		}
	})
}
