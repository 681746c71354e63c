package canary

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Watch looks at the arguments of every process on this machine until it is stopped,
// and then names the canaries that were in them: everybody on a machine reads those
// of all others. What lives for a few milliseconds can be missed; the caller has the
// program do the same more than once.
func (c *Canaries) Watch(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	said := map[string]error{}
	looking.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				arguments, err := os.ReadFile(file)
				if err != nil {
					continue // it has ended
				}
				if err := c.Seen("the arguments of a process", strings.ReplaceAll(string(arguments), "\x00", " ")); err != nil {
					said[err.Error()] = err
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
	return func() error {
		cancel()
		looking.Wait()
		var errs []error
		for _, err := range said {
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
}
