package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// program is one exec on the stub engine.
type program struct {
	argv    []string
	streams string
	hang    bool // the streams do not end
	looks   int  // how often it still runs when it is looked at
	exit    int
}

func (p *program) on(s *stubEngine) {
	s.HandleFunc("POST /containers/{id}/exec", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("id") {
		case "gitlab":
		case "stopped":
			refuse(w, http.StatusConflict, "container stopped is not running")
			return
		default:
			refuse(w, http.StatusNotFound, "No such container: %s", r.PathValue("id"))
			return
		}
		var asked struct {
			Cmd                      []string
			Tty, AttachStdin         bool
			AttachStdout, Privileged bool
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Tty || asked.AttachStdin || asked.Privileged || !asked.AttachStdout {
			refuse(w, http.StatusBadRequest, "%+v, %v", asked, err)
			return
		}
		p.argv = asked.Cmd
		reply(w, http.StatusCreated, map[string]string{"Id": "run"})
	})
	s.HandleFunc("POST /exec/run/start", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = fmt.Fprint(buffered, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", p.streams)
		_ = buffered.Flush()
		if p.hang {
			_, _ = io.Copy(io.Discard, conn)
		}
		_ = conn.Close()
	})
	var looks atomic.Int32
	s.HandleFunc("GET /exec/run/json", func(w http.ResponseWriter, _ *http.Request) {
		runs := int(looks.Add(1)) <= p.looks
		reply(w, http.StatusOK, map[string]any{"ID": "run", "Running": runs, "ExitCode": p.exit})
	})
}

func TestExec(t *testing.T) {
	t.Parallel()
	hostile := []string{"gitlab-rake", "a'b\"c$(id)\n"}
	tests := []struct {
		name      string
		container string
		program   program
		stdout    string
		stderr    string
		err       string
	}{
		{name: "both streams", container: "gitlab", program: program{streams: frame(1, "one ") + frame(2, "err") + frame(1, "two"), exit: 3}, stdout: "one two", stderr: "err"},
		{name: "nothing", container: "gitlab"},
		{name: "its end is noticed late", container: "gitlab", program: program{streams: frame(1, "x"), looks: 3}, stdout: "x"},
		{name: "no such container", container: "other", err: `running gitlab-rake in container "other": No such container: other`},
		{name: "a stopped container", container: "stopped", err: "is not running"},
		{name: "too much", container: "gitlab", program: program{streams: strings.Repeat(frame(1, strings.Repeat("x", 1<<10)), 1<<10+1)}, err: "more than 1048576 bytes"},
		{name: "cut off", container: "gitlab", program: program{streams: frame(1, "whole")[:10]}, err: "missing"},
		{name: "no stream at all", container: "gitlab", program: program{streams: "HTTP/1.1 nonsense"}, err: "unknown kind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStub()
			tt.program.on(s)
			stdout, stderr, exit, err := s.engine(t, nil).Exec(t.Context(), tt.container, hostile)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || stdout != nil {
					t.Errorf("%q, %v; want an error with %q", stdout, err, tt.err)
				}
				return
			}
			if string(stdout) != tt.stdout || string(stderr) != tt.stderr || exit != tt.program.exit || err != nil {
				t.Errorf("%q, %q, %d, %v; want %q, %q, %d", stdout, stderr, exit, err, tt.stdout, tt.stderr, tt.program.exit)
			}
			if !slices.Equal(tt.program.argv, hostile) {
				t.Errorf("it ran %q", tt.program.argv)
			}
		})
	}
}

func TestExecIsNotWaitedForWithoutEnd(t *testing.T) {
	for _, tt := range []struct {
		name    string
		program program
		err     string
	}{
		{"its streams stay open", program{hang: true}, context.DeadlineExceeded.Error()},
		{"its end is never noticed", program{looks: 1000}, "does not end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStub()
				tt.program.on(s)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, _, _, err := s.engine(t, nil).Exec(ctx, "gitlab", []string{"gitlab-rake"})
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v; want one with %q", err, tt.err)
				}
			})
		})
	}
}
