package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	defaultWindow = 30 * time.Second
	leastProgress = 16 << 10 // bytes
)

// ErrStill is matched by the errors of answers that stand still, or as good as.
var ErrStill = errors.New("the answer does not get on")

// Steady gives up answers that drip. A transport bounds the time until the header
// of an answer, and readers bound the size of its body, but a byte a second is in
// time and takes for ever.
//
// Whatever the size of a body, its next 16 KiB, or its end if that is nearer, must
// come within the window. Only the time in which somebody waits for them counts, so
// a reader may take its time too. A large body on a slow line is no error as long as
// it makes 550 bytes a second.
type Steady struct {
	Base   http.RoundTripper
	Window time.Duration // default 30 s
}

var _ http.RoundTripper = (*Steady)(nil)

// RoundTrip sends the request. A body that stands still ends with an error that
// matches [ErrStill] and counts as a timeout.
func (s *Steady) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := s.Base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	window := s.Window
	if window <= 0 {
		window = defaultWindow
	}
	resp.Request = req // not the one that was made here
	resp.Body = &steadyBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, window: window, left: window}
	return resp, nil
}

// steadyBody is a body that is being watched while it is read.
type steadyBody struct {
	io.ReadCloser
	ctx    context.Context // of the request; its end unblocks a Read
	cancel context.CancelCauseFunc

	window, left time.Duration // for the next leastProgress bytes
	came         int           // of them
}

func (b *steadyBody) Read(p []byte) (int, error) {
	began := time.Now()
	watch := time.AfterFunc(b.left, func() { b.cancel(stillError{b.window}) })
	n, err := b.ReadCloser.Read(p)
	watch.Stop()
	b.left -= time.Since(began)
	if b.came += n; b.came >= leastProgress {
		b.left, b.came = b.window, 0
	}
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.ctx), ErrStill) {
		err = context.Cause(b.ctx)
	}
	return n, err
}

func (b *steadyBody) Close() error {
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// stillError is an answer that was given up.
type stillError struct{ window time.Duration }

func (e stillError) Error() string {
	return fmt.Sprintf("%v: less than %d KiB came in %s", ErrStill, leastProgress>>10, e.window)
}

func (stillError) Is(target error) bool { return target == ErrStill }

// Timeout reports true, as that of a [net.Error] does.
func (stillError) Timeout() bool { return true }
