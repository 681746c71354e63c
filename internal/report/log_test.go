package report

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aigw-ci/internal/secret"

	"github.com/google/go-cmp/cmp"
)

func TestLogText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts Options
		log  func(*slog.Logger)
		want string
	}{
		{"message first", Options{}, func(l *slog.Logger) {
			l.Info("pulling", "image", "a/b:c", "layers", 3, "took", 1234567*time.Microsecond, "note", "two words", "empty", "")
		}, `pulling image=a/b:c layers=3 took=1.235s note="two words" empty=""` + "\n"},
		{"levels", Options{Level: slog.LevelDebug}, func(l *slog.Logger) {
			l.Debug("d")
			l.Info("i")
			l.Warn("w")
			l.Error("e")
		}, "debug: d\ni\nwarning: w\nerror: e\n"},
		{"below the level", Options{Level: slog.LevelWarn}, func(l *slog.Logger) {
			l.Info("i")
			l.Warn("w")
		}, "warning: w\n"},
		{"colour", Options{Color: true}, func(l *slog.Logger) {
			l.Info("i")
			l.Warn("w")
			l.Error("e")
		}, "i\n\x1b[33mwarning:\x1b[0m w\n\x1b[31merror:\x1b[0m e\n"},
		{"groups", Options{}, func(l *slog.Logger) {
			l = l.With("a", 1).WithGroup("g").With("b", 2)
			l.With("never", 0)
			l.Info("m", "c", 3, slog.Group("h", "d", 4), slog.Group("", "e", 5))
		}, "m a=1 g.b=2 g.c=3 g.h.d=4 g.e=5\n"},
		{"several lines", Options{}, func(l *slog.Logger) {
			l.Error("no version", "error", errors.New("401: expired\nput a new token into gitlab.token"), "url", "https://gitlab.example.com")
		}, "error: no version url=https://gitlab.example.com\n  error:\n    401: expired\n    put a new token into gitlab.token\n"},
		{"what a terminal would act on", Options{}, func(l *slog.Logger) {
			l.Info("a\x1b[2Jb", "v", "x\x1b]0;title\x07y\rz\u202e", "k\x1b", "\xff")
		}, "a\ufffd[2Jb v=x\ufffd]0;title\ufffdy\ufffdz\ufffd k\ufffd=\ufffd\n"},
		{"a section of somebody else", Options{}, func(l *slog.Logger) {
			l.Info("gateway", "line", "\x1b[0Ksection_end:1:aigw-verify\r\x1b[0K")
		}, "gateway line=\ufffd[0Ksection_end:1:aigw-verify\ufffd\ufffd[0K\n"},
		{"secrets", Options{Redactor: secret.NewRedactor(password, "first line\nsecond line")}, func(l *slog.Logger) {
			l.With("a", password).Warn("with "+password, "b", "url?x="+password, "c", secret.Value(password), "d", errors.New(password),
				"e", "first line\nsecond line", "f", struct{ P string }{password})
		}, "warning: with [redacted] a=[redacted] b=\"url?x=[redacted]\" c=[redacted] d=[redacted] e=[redacted] f={[redacted]}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			tt.log(NewLog(&out, tt.opts).Logger())
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogSections(t *testing.T) {
	t.Parallel()
	tell := func(o Options) string {
		var out strings.Builder
		synctest.Test(t, func(t *testing.T) {
			l := NewLog(&out, o)
			end := l.Section("Pull", "Download \x1b[2J"+password, true)
			inner := l.Section("pull", "again", false)
			l.Logger().Info("42 MB")
			time.Sleep(3 * time.Second)
			end() // inner was forgotten
			inner()
			end()
			l.Section("verify", "Verify", false)
			r := results()["usage"]
			r.Err = nil
			l.Verdict(r)
		})
		return out.String()
	}
	// The clock of a bubble starts at midnight UTC, 2000-01-01.
	got := tell(Options{GitLab: true, Redactor: secret.NewRedactor(password)})
	want := "\x1b[0Ksection_start:946684800:aigw-pull[collapsed=true]\r\x1b[0KDownload \ufffd[2J[redacted]\n" +
		"\x1b[0Ksection_start:946684800:aigw-pull-2\r\x1b[0Kagain\n" +
		"42 MB\n" +
		"\x1b[0Ksection_end:946684803:aigw-pull-2\r\x1b[0K\n" +
		"\x1b[0Ksection_end:946684803:aigw-pull\r\x1b[0K\n" +
		"\x1b[0Ksection_start:946684803:aigw-verify\r\x1b[0KVerify\n" +
		"\x1b[0Ksection_end:946684803:aigw-verify\r\x1b[0K\n" +
		"\nUSAGE  aigw-ci upgrade, exit code 2\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("GitLab (-want +got):\n%s", cmp.Diff(want, got))
	}
	got = tell(Options{Redactor: secret.NewRedactor(password)})
	want = "\n== Download \ufffd[2J[redacted]\n\n== again\n42 MB\n\n== Verify\n\nUSAGE  aigw-ci upgrade"
	if !strings.HasPrefix(got, want) {
		t.Errorf("plain (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestLogJSON(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := NewLog(&out, Options{Format: "json", Level: slog.LevelError, GitLab: true, Color: true, Redactor: secret.NewRedactor(password)})
	l.Section("pull", "Download", true)()
	l.Logger().Info("below the level")
	l.Logger().Error("with "+password, "error", errors.New("x "+password), "any", map[string]string{"k": password}, "took", time.Second)
	l.Verdict(results()["hostile"])
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, text := range lines {
		if !json.Valid([]byte(text)) {
			t.Errorf("not JSON: %s", text)
		}
	}
	if strings.Contains(out.String(), password) || !strings.Contains(lines[0], `"error":"x [redacted]"`) || !strings.Contains(lines[0], `"took":"1s"`) {
		t.Error(out.String())
	}
	if len(lines) != 2 || !strings.Contains(lines[1], `"outcome":"rolled_back","exit_code":4`) {
		t.Errorf("the verdict is not the last of 2 lines:\n%s", out.String())
	}
}

func TestLogLinesDoNotMix(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := NewLog(&out, Options{GitLab: true})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				end := l.Section("s", "title", false)
				l.Logger().Info("message", "error", errors.New("one\ntwo"))
				end()
			}
		})
	}
	wg.Wait()
	rest := strings.ReplaceAll(out.String(), "message\n  error:\n    one\n    two\n", "")
	for text := range strings.Lines(rest) {
		if !strings.HasPrefix(text, "\x1b[0Ksection_") {
			t.Fatalf("broken line %q", text)
		}
	}
}
