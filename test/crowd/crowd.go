package crowd

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Crowd is several people at work at the same time, without a pause.
type Crowd struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	served int
	failed []Failure
}

// Failure is a request that no gateway answered as it should.
type Failure struct {
	At   time.Time
	Text string
}

// Work sends n users who look and n who ask for code. They stop with the test, or
// when Rest is called.
func Work(t testing.TB, url string, n int) *Crowd {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Crowd{stop: cancel}
	for i := range 2 * n {
		method := http.MethodGet
		if i%2 == 1 {
			method = http.MethodPost
		}
		c.done.Go(func() {
			for ctx.Err() == nil {
				problem := Ask(ctx, method, url)
				if ctx.Err() == nil {
					c.count(problem)
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	t.Cleanup(func() { c.Rest() })
	return c
}

func (c *Crowd) count(problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if problem == "" {
		c.served++
		return
	}
	c.failed = append(c.failed, Failure{time.Now(), problem})
}

// Rest ends the work and tells how it went.
func (c *Crowd) Rest() (served int, failed []Failure) {
	c.stop()
	c.done.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served, c.failed
}

// AllServed ends the work; not one request may have failed.
func (c *Crowd) AllServed(t testing.TB) {
	t.Helper()
	served, failed := c.Rest()
	if len(failed) > 0 || served < 10 {
		t.Errorf("%d requests served, %d failed, the first at %s:\n%s", served, len(failed), first(failed), Describe(failed))
	}
	t.Logf("%d requests served", served)
}

func first(failed []Failure) string {
	if len(failed) == 0 {
		return "no time"
	}
	return failed[0].At.Format("15:04:05.000")
}

// Describe counts failures by their text.
func Describe(failed []Failure) string {
	counts := make(map[string]int)
	for _, f := range failed {
		counts[f.Text]++
	}
	var lines []string
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, "  "+strconv.Itoa(counts[text])+"x "+text)
	}
	return strings.Join(lines, "\n")
}
