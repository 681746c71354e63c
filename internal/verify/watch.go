package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"aigw-ci/internal/upgrade"
)

const (
	beat        = 100 * time.Millisecond // between two probes of a Watcher
	beatTimeout = time.Second            // for one of them
	maxSpans    = 1000                   // of a timeline
)

// Outage is the time in which a gateway did not answer, as a prober saw it: from
// the last good answer before a failed probe to the first good one after it.
type Outage struct {
	Total   time.Duration
	Longest time.Duration
	From    time.Time // the begin of the first gap; zero when there was none
	To      time.Time // the end of the last gap

	// Measured is false when no probe ever succeeded: then nothing can be said.
	Measured bool
}

// Span is a stretch of probes with the same result. The JSON is for a person who
// looks for the moment at which something happened.
type Span struct {
	From    time.Time `json:"from"` // the first probe was sent
	To      time.Time `json:"to"`   // the last one was answered, or given up
	OK      bool      `json:"ok"`
	Error   string    `json:"error,omitempty"`
	Probes  int       `json:"probes"`
	Slowest float64   `json:"slowest_seconds"`
}

// Watcher probes the address of a gateway until it is stopped.
type Watcher struct {
	stop context.CancelFunc
	done chan struct{} // closed when the goroutine has written the fields below

	outage   Outage
	timeline []Span
}

// Watch starts a prober on the live address: gateway.url, or the gateway's own
// address when it lasts beyond this one instance. Each probe is a connection of
// its own, so that a swap behind the address is seen. It ends with ctx or Stop,
// which must be called. Where no address lasts, nothing can be measured: an error.
func (g *Gate) Watch(ctx context.Context, live upgrade.Gateway) (*Watcher, error) {
	if g.o.GatewayURL != "" {
		return Watch(ctx, g.visitFront().beat, beat), nil
	}
	bounded, cancel := context.WithTimeout(ctx, targetTimeout)
	defer cancel()
	road, err := live.Endpoint(bounded)
	if err != nil {
		return nil, fmt.Errorf("finding the address to watch: %w", err)
	}
	if !road.Lasting {
		return nil, errors.New("no address lasts beyond this gateway: set gateway.url to have the outage measured")
	}
	return Watch(ctx, g.visitOwn(road).beat, beat), nil
}

// beat is one light probe.
func (v *visitor) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	defer v.rest()
	got, err := v.get(ctx, "/monitoring/healthz")
	switch {
	case err != nil:
		return cause(err)
	case got.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", got.StatusCode)
	}
	return nil
}

// Watch calls probe every so often, one after the other, until ctx ends or Stop is
// called. A probe has to end soon after its context does.
func Watch(ctx context.Context, probe func(context.Context) error, every time.Duration) *Watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watcher{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		var r record
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for ctx.Err() == nil {
			sent := time.Now()
			err := probe(ctx)
			if ctx.Err() != nil {
				break // we ended this probe, and not the gateway
			}
			r.add(sent, time.Now(), err)
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
		w.outage, w.timeline = r.end(time.Now()), r.timeline
	}()
	return w
}

// Stop ends the watch, waits for the prober, and tells what it saw. A gateway that
// did not answer at the end counts as out until now. The timeline has at most a
// thousand spans; what comes after those is measured, and not told.
func (w *Watcher) Stop() (Outage, []Span) {
	w.stop()
	<-w.done
	return w.outage, w.timeline
}

// record is what a prober remembers.
type record struct {
	outage   Outage
	good     time.Time // the last good answer; zero before the first
	out      bool      // a probe failed since
	timeline []Span
}

func (r *record) add(sent, answered time.Time, err error) {
	r.tell(sent, answered, err)
	switch {
	case err == nil:
		r.close(answered)
		r.good, r.out, r.outage.Measured = answered, false, true
	case r.outage.Measured:
		r.out = true
	}
}

// close ends an open gap.
func (r *record) close(at time.Time) {
	if !r.out {
		return
	}
	gap := at.Sub(r.good)
	r.outage.Total += gap
	r.outage.Longest = max(r.outage.Longest, gap)
	if r.outage.From.IsZero() {
		r.outage.From = r.good
	}
	r.outage.To = at
}

func (r *record) end(at time.Time) Outage {
	r.close(at)
	return r.outage
}

func (r *record) tell(sent, answered time.Time, err error) {
	text := ""
	if err != nil {
		text = short(err.Error(), 200)
	}
	took := answered.Sub(sent).Seconds()
	if n := len(r.timeline); n > 0 {
		last := &r.timeline[n-1]
		if last.OK == (err == nil) && last.Error == text {
			last.To, last.Probes, last.Slowest = answered, last.Probes+1, max(last.Slowest, took)
			return
		}
		if n == maxSpans {
			return
		}
	}
	r.timeline = append(r.timeline, Span{From: sent, To: answered, OK: err == nil, Error: text, Probes: 1, Slowest: took})
}
