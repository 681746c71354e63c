package kubernetes

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"aigw-ci/internal/upgrade"
)

// absenceLimit is how long an API server that has answered before is waited for. A
// control plane of one node is away for so long when it is upgraded. A lock without a
// sign of life is lost a little earlier, and with it the wait ends.
const absenceLimit = 30 * time.Second

// absence is a transport that waits for an API server which has gone away. Only what
// was certainly not carried out, or is the same when it is carried out twice, is asked
// again: see again. A server that has never answered is not waited for, so that a wrong
// address shows at once.
//
// It is also where a lost lock takes effect: Helm takes no context for what it changes,
// and a change that waits for the server must not happen once somebody else may be at
// work.
type absence struct {
	next     http.RoundTripper
	presence *presence
}

// presence is what all clients of a Cluster know of its API server.
type presence struct {
	log *slog.Logger

	mu     sync.Mutex
	met    bool      // it has answered before
	gone   time.Time // when it was first missed; zero while it is there
	fenced bool      // the lock is lost: nothing may be changed any more
}

// RoundTrip implements http.RoundTripper.
func (a *absence) RoundTrip(r *http.Request) (*http.Response, error) {
	if tunnels(r) {
		return a.next.RoundTrip(r) // who looks through one looks again by itself
	}
	begin, wait := time.Now(), 250*time.Millisecond
	for {
		if a.presence.closed() && changes(r) {
			return nil, a.refuse(r)
		}
		var sent atomic.Bool
		trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}
		answer, err := a.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
		if !again(r, sent.Load(), answer, err) {
			if err == nil {
				a.presence.here()
			}
			return answer, err
		}
		pace := wait
		if answer != nil {
			pace = max(wait, retryAfter(answer))
		}
		body, repeatable := bodyOf(r)
		if !repeatable || !a.presence.awaited(answer, err) || time.Since(begin)+pace > absenceLimit || pause(r.Context(), pace) != nil {
			return answer, err
		}
		if answer != nil {
			_ = answer.Body.Close()
		}
		r = r.Clone(r.Context())
		r.Body = body
		wait = min(2*wait, time.Second)
	}
}

// WrappedRoundTripper lets client-go find the transport inside.
func (a *absence) WrappedRoundTripper() http.RoundTripper { return a.next }

// refuse ends a change after the lock was lost. The job is told of the loss at the same
// moment, and shall hear it from there: hence the pause.
func (a *absence) refuse(r *http.Request) error {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	_ = pause(r.Context(), time.Second)
	return upgrade.ErrLockLost
}

// tunnels reports whether a request is for a connection to a pod.
func tunnels(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/portforward") || strings.HasSuffix(r.URL.Path, "/exec")
}

// changes reports whether a request may change something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead
}

// again reports whether a request is worth another try: the server was not reached, or
// was and had no time, or somebody before it answered in its place. A creation that may
// have been carried out is not tried again; anything else that this program and Helm
// ask for is the same when it is done twice.
func again(r *http.Request, sent bool, answer *http.Response, err error) bool {
	if err != nil {
		var op *net.OpError
		broken := utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err)
		return errors.As(err, &op) && op.Op == "dial" || broken && (!sent || r.Method != http.MethodPost)
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable:
		return !oneGroup(r.URL.Path) // an extension that is down may be so for weeks
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return r.Method != http.MethodPost && !oneGroup(r.URL.Path)
	case http.StatusInternalServerError: // to a change it may be a webhook's last word
		return !changes(r) && !oneGroup(r.URL.Path)
	}
	return false
}

// oneGroup reports whether a path is the question what one group of the API has:
// "/apis/metrics.k8s.io/v1beta1".
func oneGroup(path string) bool {
	return strings.HasPrefix(path, "/apis/") && strings.Count(strings.Trim(path, "/"), "/") == 2
}

// retryAfter is what a server asks for, within reason.
func retryAfter(answer *http.Response) time.Duration {
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, 5*time.Second)
}

// bodyOf is the request's body from its beginning, if it can be had.
func bodyOf(r *http.Request) (io.ReadCloser, bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return r.Body, true
	}
	if r.GetBody == nil {
		return nil, false
	}
	body, err := r.GetBody()
	return body, err == nil
}

// awaited notes that the server was missed, and reports whether it is waited for.
func (p *presence) awaited(answer *http.Response, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.met && p.gone.IsZero() {
		p.gone = time.Now()
		if err == nil {
			err = errors.New(answer.Status)
		}
		p.log.Warn("the API server is not there for what it is asked; waiting for it", "cause", clean(err.Error(), 500), "at most", absenceLimit)
	}
	return p.met && !p.fenced
}

// here notes that the server answers.
func (p *presence) here() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone.IsZero() {
		p.log.Info("the API server is there again", "after", time.Since(p.gone).Round(time.Second))
	}
	p.met, p.gone = true, time.Time{}
}

// fence lets no change through any more.
func (p *presence) fence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fenced = true
}

func (p *presence) closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fenced
}
