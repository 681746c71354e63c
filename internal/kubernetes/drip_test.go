package kubernetes

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/lab/wire"
	"aigw-ci/internal/transport"
)

// tap is a server without a network that answers with a kilobyte each pause, for ever.
type tap struct{ pause time.Duration }

func (d tap) RoundTrip(r *http.Request) (*http.Response, error) {
	out, in := io.Pipe()
	context.AfterFunc(r.Context(), func() { _ = in.CloseWithError(r.Context().Err()) })
	go func() {
		for err := error(nil); err == nil; time.Sleep(d.pause) {
			_, err = in.Write(make([]byte, 1<<10))
		}
	}()
	header := http.Header{"Content-Type": {"application/vnd.oci.image.manifest.v1+json"}}
	return &http.Response{StatusCode: 200, Header: header, ContentLength: 1 << 20, Body: out, Request: r}, nil
}

// A chart repository that sends drop by drop, whichever kind it is, is given up: at
// once by the transport where next to nothing comes, and at some time in any case.
func TestChartThatComesDropByDrop(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://charts.example.com/stable", "oci://registry.example.com/charts"} {
		for name, tt := range map[string]struct {
			pause time.Duration
			err   error
			after time.Duration
		}{
			"next to nothing": {10 * time.Second, transport.ErrStill, 30 * time.Second},
			"a little":        {time.Second, context.DeadlineExceeded, chartPatience},
		} {
			t.Run(address+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					source := ChartSource{Repository: address, Name: "ai-gateway", Version: "1.0.0", Transport: &transport.Steady{Base: tap{tt.pause}}}
					_, _, err := source.load(t.Context(), "1.0.0")
					if !errors.Is(err, tt.err) || time.Since(began) != tt.after {
						t.Errorf("after %v: %v", time.Since(began), err)
					}
					time.Sleep(time.Hour) // all that was opened has ended
				})
			})
		}
	}
}

// One that never ends is given up as soon as it is too large.
func TestChartWithoutEnd(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.Config.Handler = wire.Endless("text/yaml", "apiVersion: v1\n").Serve(nil)
	if _, _, err := s.source().load(t.Context(), "1.0.0"); err == nil {
		t.Error("no error")
	}
}
