package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/upgrade"
)

// gitlab answers as GitLab's OpenID provider does; keys is its jwks_uri.
func gitlab(keys string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(discoveryPath, respond(200, "application/json", fmt.Sprintf(`{"issuer":"https://gitlab.example.com","jwks_uri":%q}`, keys)))
	mux.HandleFunc("/oauth/discovery/keys", respond(200, "application/json", `{"keys":[{"kty":"RSA","kid":"a"}]}`))
	mux.HandleFunc("/no-keys", respond(200, "application/json", `{"keys":[]}`))
	return mux
}

const (
	gitlabURL = "https://gitlab.example.com"
	keysURL   = gitlabURL + "/oauth/discovery/keys"
)

func TestReach(t *testing.T) {
	t.Parallel()
	known, unknown := newAuthority(t), newAuthority(t)
	year := time.Now().AddDate(1, 0, 0)
	inner := "gitlab.example.com"
	good := serveTLS(t, known.sign(t, inner, year), gitlab(keysURL))
	all := func(h http.HandlerFunc) string { return serveTLS(t, known.sign(t, inner, year), h) }
	plain := httptest.NewServer(gitlab(keysURL))
	t.Cleanup(plain.Close)

	for _, tt := range []struct {
		name    string
		addr    string // where gitlab.example.com leads
		err     error  // or why it leads nowhere
		url     string // default gitlabURL
		logs    []string
		logErr  error
		settled bool
		verdict upgrade.Verdict
		detail  string
	}{
		{name: "good", addr: good, verdict: upgrade.Pass, detail: "1 keys"},
		{name: "good, below a path", addr: serveTLS(t, known.sign(t, inner, year), http.StripPrefix("/git", gitlab(gitlabURL+"/git/oauth/discovery/keys"))), url: gitlabURL + "/git/", verdict: upgrade.Pass},
		{name: "no such host", err: &net.DNSError{Err: "no such host", Name: inner, IsNotFound: true}, verdict: upgrade.Fail, detail: `there is no host "gitlab.example.com"`},
		{name: "no name server", err: &net.DNSError{Err: "server misbehaving", Name: inner, IsTemporary: true}, verdict: upgrade.Fail, detail: "name servers do not answer"},
		{name: "refused", err: syscall.ECONNREFUSED, verdict: upgrade.Fail, detail: "connection refused"},
		{name: "no route", err: syscall.ENETUNREACH, verdict: upgrade.Fail, detail: "no route"},
		{name: "packets get lost", err: syscall.ETIMEDOUT, verdict: upgrade.Fail, detail: "packets get lost"},
		{name: "a cause in words", err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("lookup gitlab.example.com: no such host")}, verdict: upgrade.Fail, detail: "no such host"},
		{name: "the engine is gone", err: &upgrade.RoadError{Err: &net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}}, verdict: upgrade.Inconclusive, detail: "could not be tried"},
		{name: "the engine is slow", err: context.DeadlineExceeded, verdict: upgrade.Inconclusive, detail: "could not be tried"},
		{name: "an engine elsewhere is gone", err: &upgrade.RoadError{Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}, verdict: upgrade.Inconclusive, detail: "could not be tried"},
		{name: "the helper does not start", err: errors.New("exec: no such container"), verdict: upgrade.Inconclusive, detail: "exec: no such container"},
		{name: "unknown authority", addr: serveTLS(t, unknown.sign(t, inner, year), gitlab(keysURL)), verdict: upgrade.Fail, detail: "not known here"},
		{name: "expired", addr: serveTLS(t, known.sign(t, inner, time.Now().Add(-time.Hour)), gitlab(keysURL)), verdict: upgrade.Fail, detail: "not valid today"},
		{name: "another name", addr: serveTLS(t, known.sign(t, "www.example.com", year), gitlab(keysURL)), verdict: upgrade.Fail, detail: "www.example.com"},
		{name: "no TLS", addr: plain.Listener.Addr().String(), verdict: upgrade.Fail, detail: "not with TLS"},
		{name: "a login page", addr: all(respond(200, "text/html", "<!DOCTYPE html><title>Sign in</title>")), verdict: upgrade.Fail, detail: "not JSON"},
		{name: "not there", addr: all(respond(404, "text/html", "not found")), verdict: upgrade.Fail, detail: "404"},
		{name: "another OpenID provider", addr: serveTLS(t, known.sign(t, inner, year), gitlab("")), verdict: upgrade.Fail, detail: "without a jwks_uri"},
		{name: "keys on the disk", addr: serveTLS(t, known.sign(t, inner, year), gitlab("file:///etc/passwd")), verdict: upgrade.Fail, detail: "without a jwks_uri"},
		{name: "no keys", addr: serveTLS(t, known.sign(t, inner, year), gitlab(gitlabURL+"/no-keys")), verdict: upgrade.Fail, detail: "has no keys"},
		{name: "redirected", addr: all(http.RedirectHandler("https://git.example.com/", http.StatusMovedPermanently).ServeHTTP), verdict: upgrade.Warn, detail: "git.example.com"},
		{name: "GitLab is down", addr: all(respond(502, "text/html", "GitLab is not responding")), verdict: upgrade.Inconclusive, detail: "GitLab itself"},
		{name: "keys under a name that the gateway does not know", addr: serveTLS(t, known.sign(t, inner, year), gitlab("https://public.example.com/keys")), verdict: upgrade.Fail, detail: "its keys are at https://public.example.com; but"},

		{name: "a clean log is no proof", err: errors.ErrUnsupported, verdict: upgrade.Skip, detail: "no complaint"},
		{name: "address unknown", url: "-", verdict: upgrade.Skip, detail: "not known here"},
		{name: "no witness", err: errors.ErrUnsupported, logErr: errors.New("no log driver"), verdict: upgrade.Inconclusive, detail: "no log driver"},
		{name: "one witness will do", addr: good, logErr: errors.New("no log driver"), verdict: upgrade.Pass, detail: "no log driver"},

		{name: "the log complains", err: errors.ErrUnsupported, logs: []string{jwks}, verdict: upgrade.Fail, detail: "No keys founds in JWKS"},
		{name: "the log complains, and we see nothing wrong", addr: good, logs: []string{jwks}, verdict: upgrade.Fail, detail: "No keys founds in JWKS"},
		{name: "an old complaint", addr: good, logs: []string{jwks}, settled: true, verdict: upgrade.Warn, detail: "No keys founds in JWKS"},
		{name: "an old complaint that still holds", err: syscall.ECONNREFUSED, logs: []string{jwks}, settled: true, verdict: upgrade.Fail, detail: "connection refused; and its log says"},
		{name: "an old complaint, and no other witness", err: errors.ErrUnsupported, logs: []string{jwks}, settled: true, verdict: upgrade.Fail, detail: "No keys"},
		{name: "a complaint that may be about a model server", addr: good, logs: []string{"[SSL: CERTIFICATE_VERIFY_FAILED]"}, verdict: upgrade.Warn, detail: "CERTIFICATE_VERIFY_FAILED"},
		{name: "a lesser complaint, and no other witness", err: errors.ErrUnsupported, logs: []string{"[SSL: CERTIFICATE_VERIFY_FAILED]"}, verdict: upgrade.Warn, detail: "CERTIFICATE_VERIFY_FAILED"},
		{name: "a lesser complaint does not make up for not looking", err: errors.New("exec: no such container"), logs: []string{"[SSL: CERTIFICATE_VERIFY_FAILED]"}, verdict: upgrade.Inconclusive, detail: "no such container"},
		{name: "the gravest counts", err: errors.ErrUnsupported, logs: []string{"[SSL: CERTIFICATE_VERIFY_FAILED]", jwks}, verdict: upgrade.Fail, detail: "No keys founds in JWKS"},
		{name: "the first is the cause", addr: good, logs: []string{"[SSL: CERTIFICATE_VERIFY_FAILED]", jwks}, verdict: upgrade.Fail, detail: `its log says "CERTIFICATE_VERIFY_FAILED": the gateway does not trust`},
		{name: "complaints about other things", addr: good, logs: []string{"Token creation failed"}, verdict: upgrade.Pass},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			own := serve(t, gatewayAPI(nil))
			own.logs = func(context.Context) ([]string, error) { return tt.logs, tt.logErr }
			own.dialFrom = func(ctx context.Context, addr string) (net.Conn, error) {
				switch {
				case tt.err != nil:
					return nil, tt.err
				case !strings.HasPrefix(addr, inner+":"):
					return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
				}
				return new(net.Dialer).DialContext(ctx, "tcp", tt.addr)
			}
			o := quick()
			o.Transport = known.trust("")
			o.Transport.Proxy = func(*http.Request) (*url.URL, error) { panic("a proxy of ours is none of the gateway's") }
			switch o.GitLabURL = tt.url; tt.url {
			case "":
				o.GitLabURL = gitlabURL
			case "-":
				o.GitLabURL = ""
			}
			checks := judge(t, New(o), upgrade.Subject{Gateway: own, Image: image(before), Settled: tt.settled, Glance: true})
			want(t, checks, GitLab, tt.verdict, tt.detail)
			switch tt.verdict {
			case upgrade.Fail, upgrade.Inconclusive:
				want(t, checks, "", tt.verdict, "")
			default:
				want(t, checks, "", upgrade.Pass, "")
			}
		})
	}
}

const jwks = "CriticalAuthError: No keys founds in JWKS; are OIDC providers up?"

// A gateway on the way up may find its GitLab a little later; one whose log says
// that it could not is not waited for.
func TestReachIsTriedAgain(t *testing.T) {
	t.Parallel()
	play(t, always(nil), func(t *testing.T, s *scene) {
		inside := servePipes(t, gitlab("http://gitlab.example.com/oauth/discovery/keys"))
		s.dialFrom = func(ctx context.Context, addr string) (net.Conn, error) {
			if s.since() < time.Minute {
				return nil, syscall.ECONNREFUSED
			}
			return inside.Dial(ctx, "tcp", addr)
		}
		o := options()
		o.GitLabURL = "http://gitlab.example.com"
		want(t, judge(t, New(o), s.subject()), GitLab, upgrade.Warn, "without TLS")
		if took := s.since(); took < 90*time.Second || took > 100*time.Second {
			t.Errorf("took %s, want a minute and the hold", took)
		}
	})
	play(t, always(nil), func(t *testing.T, s *scene) {
		s.logs = func(context.Context) ([]string, error) { return []string{jwks}, nil }
		want(t, judge(t, New(options()), s.subject()), GitLab, upgrade.Fail, "")
		if took := s.since(); took != 2*time.Second {
			t.Errorf("took %s, want three looks", took)
		}
	})
	for silent, complains := range map[time.Duration]time.Duration{
		20 * time.Second: 15 * time.Second, // while GitLab gives no answer
		5 * time.Second:  20 * time.Second, // of that, and later: during the hold
	} {
		play(t, always(nil), func(t *testing.T, s *scene) {
			inside := servePipes(t, gitlab("http://gitlab.example.com/oauth/discovery/keys"))
			s.dialFrom = func(ctx context.Context, addr string) (net.Conn, error) {
				if s.since() < silent {
					near, far := net.Pipe()
					go func() { _, _ = io.Copy(io.Discard, far) }()
					return near, nil
				}
				return inside.Dial(ctx, "tcp", addr)
			}
			s.logs = func(context.Context) ([]string, error) {
				if s.since() > complains {
					return []string{jwks}, nil
				}
				return nil, nil
			}
			o := options()
			o.GitLabURL = "http://gitlab.example.com"
			checks := judge(t, New(o), s.subject())
			want(t, checks, GitLab, upgrade.Warn, "No keys founds in JWKS")
			want(t, checks, "", upgrade.Pass, "")
			if took := s.since(); took > silent+requestTimeout+35*time.Second {
				t.Errorf("took %s, want GitLab's silence, one more request, and the hold", took)
			}
		})
	}
	play(t, always(nil), func(t *testing.T, s *scene) { // during the hold
		s.logs = func(context.Context) ([]string, error) {
			if s.since() > 20*time.Second {
				return []string{jwks}, nil
			}
			return nil, nil
		}
		checks := judge(t, New(options()), s.subject())
		want(t, checks, GitLab, upgrade.Fail, "No keys founds in JWKS")
		want(t, checks, "", upgrade.Fail, "")
	})
}

// What else the log says, and what the target's own health check says, is told
// and does not decide.
func TestStableTellsMore(t *testing.T) {
	t.Parallel()
	play(t, always(nil), func(t *testing.T, s *scene) {
		s.logs = func(context.Context) ([]string, error) { return []string{"Token creation failed"}, nil }
		checks := judge(t, New(options()), s.subject())
		want(t, checks, Stable, upgrade.Warn, "Token creation failed")
		want(t, checks, "", upgrade.Pass, "")
	})
	play(t, always(nil), func(t *testing.T, s *scene) {
		s.state = func(context.Context) (upgrade.State, error) {
			return upgrade.State{Status: upgrade.Running, Started: s.begin, Health: "unhealthy", Digests: []string{digest}}, nil
		}
		checks := judge(t, New(options()), s.subject())
		want(t, checks, Stable, upgrade.Warn, "unhealthy")
		want(t, checks, "", upgrade.Pass, "")
	})
}
