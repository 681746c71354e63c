package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/upgrade"
)

// apiServer answers as it is told, after having counted.
type apiServer struct {
	asked  int
	bodies []string
	answer func(asked int) (*http.Response, error)
}

func (s *apiServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		s.bodies = append(s.bodies, string(body))
	}
	answer, err := s.answer(s.asked)
	if answer != nil || errors.Is(err, syscall.ECONNRESET) { // it was connected to
		if t := httptrace.ContextClientTrace(r.Context()); t != nil && t.GotConn != nil {
			t.GotConn(httptrace.GotConnInfo{})
		}
	}
	return answer, err
}

func says(status int, headers ...string) *http.Response {
	r := &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
)

// ask makes one request through an absence. It returns the status, 0 with an error.
func (s *apiServer) ask(ctx context.Context, p *presence, method, path string) (int, error) {
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	var body io.Reader
	if method != http.MethodGet {
		body = strings.NewReader("what is wanted")
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://cluster.example.com"+path, body)
	if err != nil {
		return 0, err
	}
	answer, err := (&absence{next: s, presence: p}).RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode, nil
}

func TestAbsence(t *testing.T) {
	t.Parallel()
	const pods, metrics = "/api/v1/namespaces/gateway/pods", "/apis/metrics.k8s.io/v1beta1"
	for _, tt := range []struct {
		method, path string
		err          error
		answer       *http.Response
		again        bool
	}{
		{method: "GET", path: pods, err: errRefused, again: true},
		{method: "POST", path: pods, err: errRefused, again: true},
		{method: "POST", path: pods, err: io.EOF, again: true}, // in the handshake
		{method: "GET", path: pods, err: errReset, again: true},
		{method: "PATCH", path: pods, err: errReset, again: true},
		{method: "POST", path: pods, err: errReset}, // it may have been carried out
		{method: "GET", path: pods, err: errors.New("the certificate is not trusted")},
		{method: "POST", path: pods, answer: says(429, "Retry-After", "3"), again: true},
		{method: "POST", path: pods, answer: says(503), again: true},
		{method: "GET", path: metrics, answer: says(503)}, // an extension that is down
		{method: "PUT", path: pods, answer: says(502), again: true},
		{method: "POST", path: pods, answer: says(504)},
		{method: "GET", path: pods, answer: says(500), again: true},
		{method: "PATCH", path: pods, answer: says(500)}, // perhaps a webhook's last word
		{method: "GET", path: pods, answer: says(404)},
		{method: "PUT", path: pods, answer: says(409)},
	} {
		name := fmt.Sprint(tt.method, " ", tt.path, " ", tt.err)
		if tt.answer != nil {
			name = fmt.Sprint(tt.method, " ", tt.path, " ", tt.answer.Status)
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				s := &apiServer{answer: func(int) (*http.Response, error) {
					if time.Since(begin) < 20*time.Second {
						return tt.answer, tt.err
					}
					return says(200), nil
				}}
				status, err := s.ask(t.Context(), &presence{met: true}, tt.method, tt.path)
				switch {
				case tt.again && (status != 200 || err != nil || time.Since(begin) > 26*time.Second):
					t.Errorf("after %v: %d, %v", time.Since(begin), status, err)
				case !tt.again && (s.asked != 1 || time.Since(begin) != 0):
					t.Errorf("it asked %d times in %v", s.asked, time.Since(begin))
				}
				for _, body := range s.bodies {
					if body != "what is wanted" {
						t.Errorf("it sent %q", body)
					}
				}
			})
		})
	}
}

func TestAbsenceEnds(t *testing.T) {
	t.Parallel()
	gone := func(int) (*http.Response, error) { return nil, errRefused }
	for name, tt := range map[string]struct {
		p       *presence
		within  time.Duration // of the request's own context; 0 for no end
		atLeast time.Duration
		atMost  time.Duration
	}{
		"a server that never answered": {&presence{}, 0, 0, 0},
		"a server that stays away":     {&presence{met: true}, 0, absenceLimit - 2*time.Second, absenceLimit},
		"a request that has no time":   {&presence{met: true}, 4 * time.Second, 3 * time.Second, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, s, ctx := time.Now(), &apiServer{answer: gone}, t.Context()
				if tt.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.within)
					defer cancel()
				}
				_, err := s.ask(ctx, tt.p, http.MethodGet, "/api")
				if took := time.Since(begin); !errors.Is(err, syscall.ECONNREFUSED) || took < tt.atLeast || took > tt.atMost {
					t.Errorf("after %v: %v", took, err)
				}
			})
		})
	}
}

// What waits for the server when the lock is lost is not done once the server is back;
// neither is anything new. Reading goes on.
func TestAbsenceWithoutTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &presence{met: true}
		begin, done := time.Now(), 0
		s := &apiServer{answer: func(int) (*http.Response, error) {
			if time.Since(begin) < 10*time.Second {
				return nil, errRefused
			}
			done++
			return says(200), nil
		}}
		time.AfterFunc(8*time.Second, p.fence)
		if _, err := s.ask(t.Context(), p, http.MethodPatch, "/apis/apps/v1/namespaces/gateway/deployments/ai-gateway"); err == nil {
			t.Error("it went on")
		}
		time.Sleep(time.Minute)
		if _, err := s.ask(t.Context(), p, http.MethodDelete, "/api/v1/namespaces/gateway/secrets/x"); !errors.Is(err, upgrade.ErrLockLost) {
			t.Errorf("got %v, want ErrLockLost", err)
		}
		if done > 0 {
			t.Errorf("it did %d things without the lock", done)
		}
		if _, err := s.ask(t.Context(), p, http.MethodGet, "/api/v1/namespaces/gateway/pods"); err != nil {
			t.Error(err)
		}
	})
}
