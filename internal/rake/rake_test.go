package rake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

func live(major, minor int) upgrade.Subject {
	return upgrade.Subject{Stage: upgrade.Live, Release: upgrade.Release{Version: version.GitLab{Major: major, Minor: minor, Edition: version.Enterprise}}}
}

func TestCheck(t *testing.T) {
	container := Way{Kind: Docker, Name: "gitlab"}
	good := sample(t, "v4.txt")
	tests := []struct {
		name    string
		o       Options
		subject upgrade.Subject
		err     error

		ran     bool
		verdict upgrade.Verdict
		says    string
		remedy  string
	}{
		{name: "it runs", o: Options{Mode: Auto, Way: container}, subject: live(19, 2), ran: true, verdict: passed, says: "docker:gitlab: GitLab 19.2.1-ee"},
		{name: "it is required", o: Options{Mode: Required, Way: container}, subject: live(19, 2), ran: true, verdict: passed},
		{name: "it is off", o: Options{Mode: Off, Way: container}, subject: live(19, 2), verdict: skipped, says: "off"},
		{name: "no way", o: Options{Mode: Auto}, subject: live(19, 2), verdict: skipped, says: "not set"},
		{name: "no way, and it is required", o: Options{Mode: Required}, subject: live(19, 2), verdict: inconclusive, says: "required", remedy: "verify.rake"},
		{name: "a rehearsal", o: Options{Mode: Required, Way: container}, subject: upgrade.Subject{Stage: upgrade.Rehearsal, Release: live(19, 2).Release}, verdict: skipped},
		{name: "a restored gateway", o: Options{Mode: Auto, Way: container}, subject: upgrade.Subject{Stage: upgrade.Restored}, verdict: skipped},
		{name: "the flag's last release", o: Options{Mode: Required, Way: container}, subject: live(17, 7), verdict: skipped, says: "17.7.0-ee may switch its feature flag"},
		{name: "the first without the flag", o: Options{Mode: Auto, Way: container}, subject: live(17, 8), ran: true, verdict: passed},
		{name: "the flag, with consent", o: Options{Mode: Auto, Way: container, SwitchFlagOn: true}, subject: live(17, 4), ran: true, verdict: passed},
		{name: "an unknown version", o: Options{Mode: Auto, Way: container}, subject: upgrade.Subject{Stage: upgrade.Live}, verdict: skipped, says: "not known"},
		{name: "a user", o: Options{Mode: Auto, Way: container, User: "alice"}, subject: live(19, 2), ran: true, verdict: passed},
		{name: "a hostile user", o: Options{Mode: Auto, Way: container, User: "a] && id ["}, subject: live(19, 2), verdict: inconclusive, says: "no name of a GitLab user"},
		{
			name: "it cannot be started", o: Options{Mode: Auto, Way: container}, subject: live(19, 2), err: errors.New("no container \x1b[31m\"gitlab\"\ncorrect the name\nor start it"),
			ran: true, verdict: inconclusive, says: `docker:gitlab: no container "gitlab"`, remedy: "correct the name; or start it",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var ran []string
			tt.o.Runner = RunnerFunc(func(_ context.Context, command []string) ([]byte, []byte, int, error) {
				ran = command
				return []byte(good), nil, 0, tt.err
			})
			c := Check(tt.o)(t.Context(), tt.subject)
			if c.ID != "gitlab.rake" || c.Stage != tt.subject.Stage || c.Verdict != tt.verdict || !strings.Contains(c.Detail, tt.says) || !strings.Contains(c.Remedy, tt.remedy) {
				t.Errorf("%+v; want %s with %q, remedy with %q", c, tt.verdict, tt.says, tt.remedy)
			}
			fit(t, c)
			want, _ := tt.o.Way.Command(tt.o.User, false)
			if tt.ran != (ran != nil) || tt.ran && !slices.Equal(ran, want) {
				t.Errorf("it ran %q; want %v", ran, tt.ran)
			}
		})
	}
	if c := Check(Options{Mode: Auto, Way: container})(t.Context(), live(19, 2)); c.Verdict != inconclusive {
		t.Errorf("without a runner: %+v", c)
	}
}

func TestCheckIsNotWaitedForWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		slow := RunnerFunc(func(ctx context.Context, _ []string) ([]byte, []byte, int, error) {
			<-ctx.Done()
			return nil, nil, 0, ctx.Err()
		})
		c := Check(Options{Way: Way{Kind: Docker, Name: "gitlab"}, Runner: slow})(ctx, live(19, 2))
		if c.Verdict != inconclusive || !strings.Contains(c.Detail, "in time") {
			t.Errorf("%+v", c)
		}
	})
}

// program is a shell script under a name of its own.
func program(t *testing.T, name, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMachine(t *testing.T) {
	t.Parallel()
	hostile := `'"$(id)` + "`id`;\n[a]"
	echo := program(t, "echo", `printf %s "$1"; printf err >&2; exit 3`)
	stdout, stderr, exit, err := Machine{}.Run(t.Context(), []string{echo, hostile})
	if string(stdout) != hostile || string(stderr) != "err" || exit != 3 || err != nil {
		t.Errorf("%q, %q, %d, %v", stdout, stderr, exit, err)
	}

	if _, stderr, exit, err := (Machine{}).Run(t.Context(), []string{"no-such-program-anywhere"}); exit != 127 || err != nil || !strings.Contains(string(stderr), "not found") {
		t.Errorf("a program that is not there: %q, %d, %v", stderr, exit, err)
	}
	if _, _, _, err := (Machine{}).Run(t.Context(), []string{program(t, "much", "exec head -c 1048577 /dev/zero")}); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("too much output: %v", err)
	}
	if _, _, _, err := (Machine{}).Run(t.Context(), []string{program(t, "killed", "kill -9 $$")}); err == nil {
		t.Error("a killed program has an exit status")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, _, err := (Machine{}).Run(ctx, []string{program(t, "slow", "exec sleep 60")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow program: %v", err)
	}
}

// TestLocal goes the whole way on this machine: the name is looked up, the process
// is real, and it sees none of the job's secrets.
func TestLocal(t *testing.T) {
	t.Setenv("AIGW_CI_GITLAB_TOKEN", "glpat-12345678901234567890")
	path := program(t, "gitlab-rake", `[ -z "$AIGW_CI_GITLAB_TOKEN" ] && [ "$*" = "`+Task+`[alice]" ] && exec cat `+must(filepath.Abs("testdata/v3.txt")))
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
	c := Check(Options{Way: Way{Kind: Local}, Root: true, User: "alice"})(t.Context(), live(18, 9))
	if c.Verdict != passed || !strings.HasPrefix(c.Detail, "local: GitLab 18.9.0-ee") {
		t.Errorf("%+v", c)
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}
