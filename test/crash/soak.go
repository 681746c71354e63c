package crash

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Soak is how much is to be tried. Its source is the environment of `make soak`; the
// flags of one package would be unknown to the others of a test run.
type Soak struct {
	For   time.Duration // how long random faults are tried; 0 tries a sample of the points, and nothing else
	Seed  uint64        // of what is random
	Table string        // the file that gets the rows; empty for none
}

// ReadSoak reads AIGW_TEST_SOAK ("1h"), AIGW_TEST_SEED and AIGW_TEST_TABLE.
func ReadSoak() (s Soak, err error) {
	s.Table, s.Seed = os.Getenv("AIGW_TEST_TABLE"), 1
	if text := os.Getenv("AIGW_TEST_SOAK"); text != "" {
		if s.For, err = time.ParseDuration(text); err != nil {
			return s, fmt.Errorf("AIGW_TEST_SOAK: %w", err)
		}
	}
	if text := os.Getenv("AIGW_TEST_SEED"); text != "" {
		if s.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			return s, fmt.Errorf("AIGW_TEST_SEED: %w", err)
		}
	}
	return s, nil
}

// Every reports whether every point is to be tried.
func (s Soak) Every() bool { return s.For > 0 }

// Random disturbs runs at random points, in random ways, several at a time, for as
// long as it may. The same seed draws the same faults in the same order.
func (s Soak) Random(t *testing.T, points map[string][]Point, try func(t *testing.T, path string, at Point, strike Strike)) {
	t.Logf("random faults for %v, seed %d", s.For, s.Seed)
	var mu sync.Mutex
	random, n := rand.New(rand.NewPCG(s.Seed, 0)), 0
	paths := slices.Sorted(maps.Keys(points))
	draw := func() (int, string, Point, Strike) {
		mu.Lock()
		defer mu.Unlock()
		n++
		path := paths[random.IntN(len(paths))]
		return n, path, points[path][random.IntN(len(points[path]))], Random(random)
	}
	until := time.Now().Add(s.For)
	for range atATime {
		t.Run("some", func(t *testing.T) {
			t.Parallel()
			for time.Now().Before(until) {
				n, path, at, strike := draw()
				t.Run(fmt.Sprintf("%d %s, %s %v", n, path, strike.Name, at), func(t *testing.T) { try(t, path, at, strike) })
			}
		})
	}
}

// atATime is how many runs are disturbed at random at the same time. They wait more
// than they compute.
const atATime = 8
