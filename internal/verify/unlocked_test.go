package verify

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

func TestUnlocked(t *testing.T) {
	t.Parallel()
	open := respond(200, "application/json", "{}")
	for _, tt := range []struct {
		name    string
		answers http.HandlerFunc
		verdict upgrade.Verdict
		why     gateway.DiagnosisID
		detail  string
	}{
		{"taken", respond(422, "application/json", `{"detail":[]}`), upgrade.Pass, "", "what fails for users is authentication"},
		{"still locked", respond(401, "application/json", `{"error":"No authorization header presented"}`), upgrade.Inconclusive, gateway.NoRefusal, "still on"},
		{"broken", respond(500, "application/json", `{}`), upgrade.Fail, gateway.NotAGateway, "not authentication"},
		{"another program", respond(404, "text/html", ``), upgrade.Fail, gateway.NotAGateway, "404"},
		{"breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, upgrade.Fail, gateway.ConnectionBroken, "broke the connection off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			own := serve(t, gatewayAPI(map[string]http.HandlerFunc{
				"/": open, "/docs": open, "/openapi.json": open,
				completions: func(w http.ResponseWriter, r *http.Request) {
					if body, _ := io.ReadAll(r.Body); r.Method != http.MethodPost || string(body) != "{}" || r.Header.Get("Authorization") != "" {
						t.Errorf("asked by %s %q", r.Method, body)
					}
					tt.answers(w, r)
				},
			}))
			o := quick()
			o.Timeout = 10 * time.Second
			c := New(o).Unlocked(t.Context(), own)
			if c.ID != Trial || c.Stage != upgrade.Rehearsal || c.Verdict != tt.verdict || c.Diagnosis != string(tt.why) || !strings.Contains(c.Detail, tt.detail) {
				t.Errorf("got %+v", c)
			}
		})
	}
}

func TestUnlockedWaitsForTheGateway(t *testing.T) {
	t.Parallel()
	play(t, from(time.Minute), func(t *testing.T, s *scene) {
		c := New(options()).Unlocked(t.Context(), s)
		if c.Verdict != upgrade.Inconclusive || s.since() < time.Minute || s.since() > 2*time.Minute { // it is locked
			t.Errorf("after %s: %+v", s.since(), c)
		}
	})
	play(t, from(time.Hour), func(t *testing.T, s *scene) {
		if c := New(options()).Unlocked(t.Context(), s); c.Verdict != upgrade.Fail || c.Diagnosis != string(gateway.NotListening) {
			t.Errorf("got %+v", c)
		}
	})
	play(t, always(nil), func(t *testing.T, s *scene) {
		s.state = func(context.Context) (upgrade.State, error) {
			return upgrade.State{Status: upgrade.Exited, ExitCode: 1}, nil
		}
		if c := New(options()).Unlocked(t.Context(), s); c.Verdict != upgrade.Fail || c.Diagnosis != string(gateway.ProcessEnded) || s.since() != 0 {
			t.Errorf("got %+v", c)
		}
	})
	play(t, from(time.Hour), func(t *testing.T, s *scene) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if c := New(options()).Unlocked(ctx, s); c.Verdict != upgrade.Inconclusive || c.Diagnosis != string(gateway.Interrupted) {
			t.Errorf("got %+v", c)
		}
	})
}
