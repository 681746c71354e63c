package docker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/moby/moby/api/types/jsonstream"
)

// maxLayers bounds the layers kept in mind; an image has at most 127 or so.
const maxLayers = 1024

// progress adds up what an engine tells about the layers of a pull.
type progress struct {
	mu     sync.Mutex
	start  time.Time
	layers map[string]layer
	fresh  int64 // bytes loaded that were not news yet
}

// leastNews is how many bytes more are news. A registry that sends a byte a second
// brings none.
const leastNews = 64 << 10

type layer struct {
	status        string
	loaded, total int64 // bytes, compressed
	done          bool
	cached        bool // was there before
}

func newProgress(now time.Time) *progress {
	return &progress{start: now, layers: make(map[string]layer)}
}

// add takes one message of the engine's stream, and reports whether the pull has got
// on: a layer is at another step, is being unpacked, or enough of it has come. Sizes
// are of untrusted origin and only counted up.
func (p *progress) add(m jsonstream.Message) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, known := p.layers[m.ID]
	before := l
	switch m.Status {
	case "Pulling fs layer", "Waiting", "Verifying Checksum", "Extracting":
	case "Downloading":
		if m.Progress != nil && m.Progress.Current >= l.loaded {
			l.loaded, l.total = m.Progress.Current, max(m.Progress.Total, m.Progress.Current)
		}
	case "Download complete":
		l.loaded = l.total
	case "Pull complete":
		l.loaded, l.done = l.total, true
	case "Already exists":
		l.done, l.cached = true, true
	default:
		return false // about the image as a whole, or nothing to count
	}
	if m.ID == "" || !known && len(p.layers) >= maxLayers {
		return false
	}
	l.status = m.Status
	p.layers[m.ID] = l
	if p.fresh += l.loaded - before.loaded; p.fresh >= leastNews {
		p.fresh, news = 0, true
	}
	return news || l.status != before.status || l.status == "Extracting"
}

// report writes a line to the log every so often until stop is called, which may
// be done twice, and waits for the last one.
func (p *progress) report(ctx context.Context, log *slog.Logger, every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var reporting sync.WaitGroup
	reporting.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				p.log(log, now, "still pulling")
			}
		}
	})
	return func() { cancel(); reporting.Wait() }
}

func (p *progress) log(log *slog.Logger, now time.Time, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var done, cached int
	var loaded, total int64
	for _, l := range p.layers {
		loaded += l.loaded
		total += l.total
		if l.done {
			done++
		}
		if l.cached {
			cached++
		}
	}
	took := now.Sub(p.start)
	attrs := []any{
		"layers", fmt.Sprintf("%d of %d", done, len(p.layers)),
		"loaded", size(loaded) + " of " + size(total),
		"rate", size(int64(float64(loaded)/max(took.Seconds(), 0.001))) + "/s",
		"took", took.Round(time.Second / 10),
	}
	if cached > 0 {
		attrs = append(attrs, "already_there", cached)
	}
	log.Info(message, attrs...)
}

// size is a number of bytes for people, in the decimal units registries use.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}
