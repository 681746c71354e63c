package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// answerTimeout is how long an API server may keep silent. Its own limit for a
// request is 60 s (kube-apiserver --request-timeout).
const answerTimeout = 65 * time.Second

// maxAnswer bounds one answer, in bytes. The largest true ones are lists of Helm's
// secrets, at most 1 MiB each.
const maxAnswer = 128 << 20

// patience is a transport that does not wait for ever: not for an answer to begin,
// and not for it to go on. A watch and a log may pause for as long as they like.
type patience struct {
	next    http.RoundTripper
	timeout time.Duration
}

// silentError is the cause of a request that was given up. It is a timeout to whoever
// asks (net.Error).
type silentError struct{ after time.Duration }

func (e silentError) Error() string {
	return fmt.Sprintf("the API server gave no answer for %s", e.after)
}
func (silentError) Timeout() bool   { return true }
func (silentError) Temporary() bool { return true }

// silent is the silence that ended a context, if that is what did.
func silent(ctx context.Context) (e silentError, is bool) {
	is = errors.As(context.Cause(ctx), &e)
	return e, is
}

// RoundTrip implements http.RoundTripper.
func (p *patience) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(p.timeout, func() { cancel(silentError{p.timeout}) })
	answer, err := p.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		timer.Stop()
		if silence, is := silent(ctx); is {
			err = silence // as it is: url.Error asks it whether it is a timeout
		}
		cancel(nil)
		return answer, err
	}
	if !timer.Stop() {
		timer.Reset(0) // it fired between the answer and now: the body is no use
	}
	if answer.Body == nil || answer.StatusCode == http.StatusSwitchingProtocols {
		return answer, nil // the connection is somebody else's now
	}
	body := &patientBody{ReadCloser: answer.Body, ctx: ctx, cancel: cancel, left: maxAnswer}
	if q := r.URL.Query(); q.Get("watch") != "true" && q.Get("watch") != "1" && q.Get("follow") != "true" {
		body.timer, body.timeout = timer, p.timeout
	} else {
		body.left = -1
	}
	answer.Body = body
	return answer, nil
}

// WrappedRoundTripper lets client-go find the transport inside.
func (p *patience) WrappedRoundTripper() http.RoundTripper { return p.next }

// patientBody is an answer that has to go on, and to end.
type patientBody struct {
	io.ReadCloser
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer // nil: may pause
	timeout time.Duration
	left    int64 // bytes; negative: without a bound
	once    sync.Once
}

func (b *patientBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, fmt.Errorf("the API server's answer is longer than %d MiB", maxAnswer>>20)
	}
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.timer != nil {
		b.timer.Reset(b.timeout)
	}
	n, err := b.ReadCloser.Read(p)
	if b.timer != nil {
		b.timer.Stop()
	}
	if b.left > 0 {
		b.left -= int64(n)
	}
	if silence, is := silent(b.ctx); is && err != nil && !errors.Is(err, io.EOF) {
		err = silence
	}
	return n, err
}

func (b *patientBody) Close() error {
	b.once.Do(func() {
		if b.timer != nil {
			b.timer.Stop()
		}
		b.cancel(nil)
	})
	return b.ReadCloser.Close()
}
