package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// scene is a gateway on a clock of its own. Its times count from the start.
type scene struct {
	*stub
	begin time.Time
}

// play runs a scene in a synctest bubble. answers says what the gateway answers to
// a health check after so long: nil for well, or the error of the connection.
func play(t *testing.T, answers func(since time.Duration) error, test func(t *testing.T, s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		road := servePipes(t, gatewayAPI(nil))
		s := &scene{begin: time.Now()}
		open := road.Dial
		road.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if err := answers(s.since()); err != nil {
				return nil, err
			}
			return open(ctx, network, addr)
		}
		s.stub = at(road)
		begin := s.begin
		s.state = func(ctx context.Context) (upgrade.State, error) {
			return upgrade.State{Status: upgrade.Running, Started: begin, Digests: []string{digest}}, ctx.Err()
		}
		test(t, s)
	})
}

func (s *scene) since() time.Duration { return time.Since(s.begin) }

func always(err error) func(time.Duration) error { return func(time.Duration) error { return err } }

func from(at time.Duration) func(time.Duration) error {
	return func(since time.Duration) error {
		if since < at {
			return syscall.ECONNREFUSED
		}
		return nil
	}
}

func options() Options {
	return Options{Timeout: 5 * time.Minute, Hold: 30 * time.Second, Successes: 3}
}

// Subjects of 18.3 have no gRPC, whose goroutines need a real network.
func (s *scene) subject() upgrade.Subject {
	return upgrade.Subject{Stage: upgrade.Live, Gateway: s, Image: image("self-hosted-v18.3.1-ee")}
}

func TestASlowStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	play(t, from(4*time.Minute), func(t *testing.T, s *scene) {
		checks := judge(t, New(options()), s.subject())
		want(t, checks, "", upgrade.Pass, "")
		want(t, checks, Stable, upgrade.Pass, "30s")
		// Three successes take two intervals, the hold comes after them.
		if took, least := s.since(), 4*time.Minute+2*time.Second+30*time.Second; took < least || took > least+time.Second {
			t.Errorf("took %s, want %s", took, least)
		}
	})
}

func TestTheDeadlineEndsTheWaiting(t *testing.T) {
	t.Parallel()
	play(t, always(syscall.ECONNREFUSED), func(t *testing.T, s *scene) {
		s.logs = func(context.Context) ([]string, error) {
			return []string{"pydantic: 1 validation error for Config"}, nil
		}
		checks := judge(t, New(options()), s.subject())
		want(t, checks, "", upgrade.Fail, "")
		want(t, checks, Healthz, upgrade.Fail, "connection refused")
		want(t, checks, Healthz, upgrade.Fail, "validation error for")
		want(t, checks, Stable, upgrade.Skip, "because of gateway.healthz")
		if took := s.since(); took < 5*time.Minute || took > 5*time.Minute+time.Second {
			t.Errorf("took %s, want the timeout", took)
		}
	})
}

// A gateway that never answers three times in a row is not let through by a
// deadline that happens to fall on a good answer.
func TestFlappingIsNotSuccess(t *testing.T) {
	t.Parallel()
	flap := func(since time.Duration) error {
		if int(since/time.Second)%3 == 0 {
			return syscall.ECONNREFUSED
		}
		return nil
	}
	for _, timeout := range []time.Duration{60 * time.Second, 61 * time.Second, 62 * time.Second} {
		t.Run(timeout.String(), func(t *testing.T) {
			t.Parallel()
			play(t, flap, func(t *testing.T, s *scene) {
				o := options()
				o.Timeout = timeout
				want(t, judge(t, New(o), s.subject()), "", upgrade.Fail, "")
			})
		})
	}
}

func TestARowBegunInTimeMayEndAfterTheDeadline(t *testing.T) {
	t.Parallel()
	play(t, from(5*time.Minute), func(t *testing.T, s *scene) {
		want(t, judge(t, New(options()), s.subject()), "", upgrade.Pass, "")
	})
}

func TestHold(t *testing.T) {
	t.Parallel()
	const moment = 20 * time.Second // well inside the hold
	broken := func(err error) func(time.Duration) error {
		return func(since time.Duration) error {
			if since >= moment && since < moment+time.Second {
				return err
			}
			return nil
		}
	}
	tests := []struct {
		name    string
		answers func(time.Duration) error
		state   func(begin time.Time, s *upgrade.State)
		silent  bool // the target, for some seconds after the moment
		verdict upgrade.Verdict
		detail  string
		from    time.Duration // when the judgement may be made: from
		by      time.Duration // and by
	}{
		{name: "nothing happens", answers: always(nil), verdict: upgrade.Pass, detail: "no restart and no failure in 30s", from: 32 * time.Second, by: 32 * time.Second},
		{name: "one failed probe", answers: broken(syscall.ECONNREFUSED), verdict: upgrade.Fail, detail: "connection refused", by: moment + 2*time.Second},
		{
			// Not seen is not failed: the row and the hold begin again.
			name: "one probe without a road", answers: broken(syscall.EHOSTUNREACH),
			verdict: upgrade.Pass, detail: "30s", from: moment + 33*time.Second, by: moment + 34*time.Second,
		},
		{
			name: "restarted by its policy", answers: always(nil), verdict: upgrade.Fail, detail: "ended and was restarted", by: moment + time.Second,
			state: func(begin time.Time, s *upgrade.State) { s.Restarts, s.Started = 1, begin.Add(moment) },
		},
		{
			name: "restarted by hand", answers: always(nil), verdict: upgrade.Fail, detail: "was restarted at", by: moment + time.Second,
			state: func(begin time.Time, s *upgrade.State) { s.Started = begin.Add(moment) },
		},
		{
			name: "out of memory", answers: always(nil), verdict: upgrade.Fail, detail: "out of memory", by: moment + time.Second,
			state: func(_ time.Time, s *upgrade.State) { s.Status, s.ExitCode, s.OOM = upgrade.Exited, 137, true },
		},
		{
			name: "out of memory, as its target notices a moment later", answers: broken(syscall.ECONNREFUSED), verdict: upgrade.Fail, detail: "out of memory", by: moment + 2*time.Second,
			state: func(begin time.Time, s *upgrade.State) {
				if time.Since(begin) > moment {
					s.Status, s.ExitCode, s.OOM = upgrade.Exited, 137, true
				}
			},
		},
		{
			// A gateway that is reached through its target is lost with it.
			name: "the target is silent for a while", answers: broken(syscall.ECONNREFUSED), silent: true,
			verdict: upgrade.Pass, detail: "30s", from: moment + 33*time.Second, by: moment + 40*time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			play(t, tt.answers, func(t *testing.T, s *scene) {
				s.state = func(ctx context.Context) (upgrade.State, error) {
					state := upgrade.State{Status: upgrade.Running, Started: s.begin, Digests: []string{digest}}
					if tt.state != nil && s.since() >= moment {
						tt.state(s.begin, &state)
					}
					if now := s.since(); tt.silent && now > moment && now < moment+3*time.Second {
						return upgrade.State{}, errors.New("no route to the API server")
					}
					return state, ctx.Err()
				}
				checks := judge(t, New(options()), s.subject())
				want(t, checks, Stable, tt.verdict, tt.detail)
				want(t, checks, "", tt.verdict, "")
				if took := s.since(); took < tt.from || took > tt.by {
					t.Errorf("took %s, want %s to %s", took, tt.from, tt.by)
				}
			})
		})
	}
}

func TestABrokenRoadSaysNothing(t *testing.T) {
	t.Parallel()
	v := &visitor{address: "http://gateway.example.com:5052"}
	broken := &upgrade.RoadError{Err: errors.New("the tunnel broke")}
	for err, verdict := range map[error]upgrade.Verdict{
		&url.Error{Op: "Get", Err: broken}:                         upgrade.Inconclusive,
		&url.Error{Op: "Get", Err: errors.New("the tunnel broke")}: upgrade.Fail,
		&url.Error{Op: "Get", Err: fmt.Errorf("1: %w", broken)}:    upgrade.Inconclusive,
	} {
		for _, c := range []upgrade.Check{v.explain(err), new(trial).unreached(v, err)} {
			if c.Verdict != verdict {
				t.Errorf("%v: %s, %s; want %s", err, c.Verdict, c.Detail, verdict)
			}
		}
	}
}

// What no further look can change is not waited for.
func TestFailFast(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		state  upgrade.State
		log    string
		detail string
		remedy string
	}{
		{name: "ended", state: upgrade.State{Status: upgrade.Exited, ExitCode: 1}, log: "no such thing", detail: `exit code 1; the last line of its log: "no such thing"`, remedy: "log"},
		{name: "a known error", state: upgrade.State{Status: upgrade.Exited, ExitCode: 1}, log: "OSError: address already in use", detail: "a port of the gateway is taken", remedy: "AIGW_FASTAPI__METRICS_PORT"},
		{name: "a secret in the log", state: upgrade.State{Status: upgrade.Exited, ExitCode: 1}, log: "input_value='hunter2hunter2'", detail: "[redacted]", remedy: "log"},
		{name: "ended without an error", state: upgrade.State{Status: upgrade.Exited}, detail: "by itself", remedy: "log"},
		{name: "out of memory", state: upgrade.State{Status: upgrade.Exited, ExitCode: 137, OOM: true}, detail: "out of memory", remedy: "512 MB"},
		{name: "crash loop", state: upgrade.State{Status: upgrade.Restarting, ExitCode: 3, Restarts: 4}, detail: "over and over; exit code 3", remedy: "log"},
		{name: "crashed once", state: upgrade.State{Status: upgrade.Running, Restarts: 1}, detail: "1 times", remedy: "log"},
		{name: "gone", state: upgrade.State{Status: upgrade.Missing}, detail: "gone", remedy: "who removed it"},
		{name: "cannot be started", state: upgrade.State{Status: upgrade.Created, Error: "port is already allocated"}, detail: "port is already allocated", remedy: "port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			play(t, always(nil), func(t *testing.T, s *scene) {
				s.state = func(context.Context) (upgrade.State, error) { return tt.state, nil }
				s.logs = func(context.Context) ([]string, error) { return []string{tt.log}, nil }
				o := options()
				o.Redactor = secret.NewRedactor("hunter2hunter2")
				checks := judge(t, New(o), s.subject())
				want(t, checks, Stable, upgrade.Fail, tt.detail)
				want(t, checks, Healthz, upgrade.Skip, "because of gateway.stable")
				if got := checks[Stable].Remedy; !strings.Contains(got, tt.remedy) {
					t.Errorf("remedy %q, want it to speak of %q", got, tt.remedy)
				}
				if s.since() != 0 {
					t.Errorf("took %s, want no time at all", s.since())
				}
			})
		})
	}
}

// No line of a log is quoted unless its secrets can be taken out.
func TestLogIsNotQuotedWithoutRedactor(t *testing.T) {
	t.Parallel()
	play(t, always(nil), func(t *testing.T, s *scene) {
		s.state = func(context.Context) (upgrade.State, error) { return upgrade.State{Status: upgrade.Exited}, nil }
		s.logs = func(context.Context) ([]string, error) { return []string{"hunter2"}, nil }
		checks := judge(t, New(options()), s.subject())
		if got := checks[Stable].Detail; got != "the process ended; exit code 0: it ended by itself, without an error" {
			t.Errorf("detail %q", got)
		}
	})
}

// Not started yet, or paused, is neither a crash nor a missing road.
func TestNotRunning(t *testing.T) {
	t.Parallel()
	for _, status := range []upgrade.Status{upgrade.Created, upgrade.Paused} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			play(t, always(nil), func(t *testing.T, s *scene) {
				running := s.stub.state
				s.state = func(ctx context.Context) (upgrade.State, error) {
					if s.since() < time.Minute {
						return upgrade.State{Status: status, Digests: []string{digest}}, nil
					}
					return running(ctx)
				}
				want(t, judge(t, New(options()), s.subject()), "", upgrade.Pass, "")
			})
			play(t, always(nil), func(t *testing.T, s *scene) {
				s.state = func(context.Context) (upgrade.State, error) { return upgrade.State{Status: status}, nil }
				want(t, judge(t, New(options()), s.subject()), Healthz, upgrade.Fail, string(status))
			})
		})
	}
}

// What cannot be looked at is inconclusive, however long it lasts; and it is
// looked at again for as long as there is time.
func TestCouldNotLook(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		broken func(s *scene)
		id     string
		detail string
	}{
		{"the target does not answer", func(s *scene) {
			s.state = func(context.Context) (upgrade.State, error) { return upgrade.State{}, errors.New("engine:\n EOF") }
		}, Stable, "engine:  EOF"},
		{"no road", func(s *scene) {
			s.endpoint = func(context.Context) (upgrade.Endpoint, error) {
				return upgrade.Endpoint{}, errors.New("the engine is on another host")
			}
		}, Healthz, "the engine is on another host"},
		{"an empty road", func(s *scene) {
			s.endpoint = func(context.Context) (upgrade.Endpoint, error) { return upgrade.Endpoint{}, nil }
		}, Healthz, "names no address"},
		{"packets get lost", func(s *scene) {
			s.dial(func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() })
		}, Healthz, "no refusal either"},
		{"the tunnel breaks", func(s *scene) {
			s.dial(func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("ssh: disconnected") })
		}, Healthz, "ssh: disconnected"},
		{"a name that only the road has", func(s *scene) {
			s.dial(func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "engine.example.com", IsNotFound: true}
			})
		}, Healthz, "engine.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			play(t, always(nil), func(t *testing.T, s *scene) {
				tt.broken(s)
				checks := judge(t, New(options()), s.subject())
				want(t, checks, tt.id, upgrade.Inconclusive, tt.detail)
				want(t, checks, "", upgrade.Inconclusive, "")
				if s.since() < 5*time.Minute {
					t.Errorf("gave up after %s", s.since())
				}
			})
			play(t, always(nil), func(t *testing.T, s *scene) {
				well := *s.stub
				tt.broken(s)
				broken := *s.stub
				heals(s, &broken, &well, time.Minute)
				want(t, judge(t, New(options()), s.subject()), "", upgrade.Pass, "")
			})
		})
	}
}

// heals makes a scene answer like one stub until a moment, and then like another.
func heals(s *scene, before, after *stub, at time.Duration) {
	now := func() *stub {
		if s.since() < at {
			return before
		}
		return after
	}
	s.stub = &stub{
		endpoint: func(ctx context.Context) (upgrade.Endpoint, error) { return now().Endpoint(ctx) },
		state:    func(ctx context.Context) (upgrade.State, error) { return now().State(ctx) },
	}
}

func (s *scene) dial(dial dialFunc) {
	find := s.endpoint
	s.endpoint = func(ctx context.Context) (upgrade.Endpoint, error) {
		road, err := find(ctx)
		road.Dial = dial
		return road, err
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers func(time.Duration) error
		at      time.Duration
	}{
		{"while it starts", always(syscall.ECONNREFUSED), time.Minute},
		{"while it holds", always(nil), 20 * time.Second},
		{"before it began", always(nil), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			play(t, tt.answers, func(t *testing.T, s *scene) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.at)
				defer cancel()
				checks := judgeWith(ctx, t, New(options()), s.subject())
				want(t, checks, "", upgrade.Inconclusive, "")
				want(t, checks, Stable, upgrade.Inconclusive, "interrupted")
				if s.since() != tt.at {
					t.Errorf("stopped after %s, want %s", s.since(), tt.at)
				}
			})
		})
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()
	settled := func(s *scene, up time.Duration) upgrade.Subject {
		began := s.begin.Add(-up)
		s.state = func(ctx context.Context) (upgrade.State, error) {
			return upgrade.State{Status: upgrade.Running, Started: began, Restarts: 7, Digests: []string{digest}}, ctx.Err()
		}
		subject := s.subject()
		subject.Settled = true
		return subject
	}
	for _, tt := range []struct {
		name    string
		answers func(time.Duration) error
		up      time.Duration
		verdict upgrade.Verdict
		takes   time.Duration
	}{
		{"up for long", always(nil), time.Hour, upgrade.Pass, 0},
		{"up for less than the hold", always(nil), 10 * time.Second, upgrade.Pass, 20 * time.Second},
		{"the engine's clock is ahead", always(nil), -time.Hour, upgrade.Pass, 30 * time.Second},
		{"broken for long", always(syscall.ECONNREFUSED), time.Hour, upgrade.Fail, settledPatience},
		{"a blip", from(5 * time.Second), time.Hour, upgrade.Pass, 5 * time.Second},
		{"still starting", from(time.Minute), 30 * time.Second, upgrade.Pass, time.Minute},
		{"starting, and never done", always(syscall.ECONNREFUSED), time.Minute, upgrade.Fail, 4 * time.Minute},
		{"broken, and the clock is ahead", always(syscall.ECONNREFUSED), -time.Hour, upgrade.Fail, 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			play(t, tt.answers, func(t *testing.T, s *scene) {
				checks := judge(t, New(options()), settled(s, tt.up))
				want(t, checks, "", tt.verdict, "")
				if s.since() != tt.takes {
					t.Errorf("took %s, want %s", s.since(), tt.takes)
				}
			})
		})
	}
	t.Run("the wrong image is known at once", func(t *testing.T) {
		t.Parallel()
		play(t, always(nil), func(t *testing.T, s *scene) {
			subject := settled(s, time.Hour)
			subject.Image.Digest = "sha256:2222"
			want(t, judge(t, New(options()), subject), Digest, upgrade.Fail, "sha256:2222")
			if s.since() != 0 {
				t.Errorf("took %s", s.since())
			}
		})
	})
}

func TestGlanceAndHurry(t *testing.T) {
	t.Parallel()
	o := options()
	o.Probes = []Probe{func(context.Context, upgrade.Subject) upgrade.Check { panic("no time for probes") }}
	play(t, always(syscall.ECONNREFUSED), func(t *testing.T, s *scene) {
		subject := s.subject()
		subject.Glance = true
		want(t, judge(t, New(o), subject), Healthz, upgrade.Fail, "refused")
		if s.since() != 0 {
			t.Errorf("a glance took %s", s.since())
		}
	})
	play(t, from(time.Minute), func(t *testing.T, s *scene) {
		subject := s.subject()
		subject.Hurry = true
		want(t, judge(t, New(o), subject), "", upgrade.Pass, "")
		if s.since() != time.Minute {
			t.Errorf("a hurried judgement took %s, want the minute of the start", s.since())
		}
	})
}

// A target may roll its instances over for a while after it was told to.
func TestTheRightImageIsWaitedFor(t *testing.T) {
	t.Parallel()
	play(t, always(nil), func(t *testing.T, s *scene) {
		s.state = func(context.Context) (upgrade.State, error) {
			runs := "sha256:old"
			if s.since() > time.Minute {
				runs = digest
			}
			return upgrade.State{Status: upgrade.Running, Started: s.begin, Digests: []string{runs}}, nil
		}
		want(t, judge(t, New(options()), s.subject()), Digest, upgrade.Pass, "")
	})
}

// A gateway that was put back may have been restarted in its earlier life.
func TestRestoredGatewayKeepsItsCount(t *testing.T) {
	t.Parallel()
	play(t, always(nil), func(t *testing.T, s *scene) {
		s.state = func(ctx context.Context) (upgrade.State, error) {
			return upgrade.State{Status: upgrade.Running, Started: s.begin, Restarts: 2, Digests: []string{digest}}, ctx.Err()
		}
		subject := s.subject()
		subject.Stage = upgrade.Restored
		want(t, judge(t, New(options()), subject), "", upgrade.Pass, "")
	})
}

func TestProbes(t *testing.T) {
	t.Parallel()
	asked := 0
	o := options()
	o.Probes = []Probe{func(ctx context.Context, s upgrade.Subject) upgrade.Check {
		asked++
		time.Sleep(time.Second)
		if ctx.Err() != nil {
			return upgrade.Check{ID: "gitlab.version", Verdict: upgrade.Fail, Detail: fmt.Sprint(ctx.Err()), Remedy: "?"}
		}
		return upgrade.Check{ID: "gitlab.version", Verdict: upgrade.Pass, Detail: string(s.Stage)}
	}}
	play(t, always(nil), func(t *testing.T, s *scene) {
		checks := judge(t, New(o), s.subject())
		want(t, checks, "gitlab.version", upgrade.Pass, "live")
		if got := checks["gitlab.version"]; got.Took != time.Second || asked != 1 {
			t.Errorf("took %s in %d calls, want one of a second", got.Took, asked)
		}
	})
	play(t, always(syscall.ECONNREFUSED), func(t *testing.T, s *scene) {
		if _, made := judge(t, New(o), s.subject())["gitlab.version"]; made {
			t.Error("a gateway that failed was probed further")
		}
	})
	play(t, always(nil), func(t *testing.T, s *scene) {
		ctx, cancel := context.WithTimeout(t.Context(), 32*time.Second+time.Millisecond) // in the probe
		defer cancel()
		want(t, judgeWith(ctx, t, New(o), s.subject()), "gitlab.version", upgrade.Inconclusive, "interrupted")
	})
}

// The wrong answers of a gateway that is still starting behind its proxy are
// waited out like silence.
func TestWrongAnswersAreWaitedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		road := servePipes(t, gatewayAPI(map[string]http.HandlerFunc{
			"/monitoring/healthz": func(w http.ResponseWriter, r *http.Request) {
				if time.Since(begin) < time.Minute {
					respond(502, "text/html", "<html>Bad Gateway</html>")(w, r)
					return
				}
				respond(200, "application/json", "{}")(w, r)
			},
		}))
		want(t, judge(t, New(options()), upgrade.Subject{Gateway: at(road), Image: image("self-hosted-v18.3.1-ee")}), "", upgrade.Pass, "")
	})
}
