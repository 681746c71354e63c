package report

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// Options say for whom a log is written.
type Options struct {
	Level    slog.Level
	Format   string // "text" or "json"
	GitLab   bool   // GITLAB_CI=true: sections of the job log can be folded
	Color    bool
	Redactor *secret.Redactor
}

// Log is the job log. It may be used by several goroutines; their lines do not mix.
type Log struct {
	out     *output
	opts    Options
	handler slog.Handler

	mu   sync.Mutex
	open []*section // innermost last
}

// section is a part of a GitLab job log that has begun and not ended.
type section struct{ name string }

// output writes whole records, one after the other.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

// Write writes p in one piece.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// NewLog returns a log that is written to w.
func NewLog(w io.Writer, o Options) *Log {
	l := &Log{out: &output{w: w}, opts: o}
	if l.json() {
		l.handler = slog.NewJSONHandler(o.Redactor.Writer(l.out), &slog.HandlerOptions{
			Level: o.Level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return redactAttr(o.Redactor, a) },
		})
	} else {
		l.handler = &human{out: l.out, level: o.Level, redact: o.Redactor, paint: l.paint}
	}
	return l
}

func (l *Log) json() bool { return l.opts.Format == "json" }

// Logger writes to the log.
func (l *Log) Logger() *slog.Logger { return slog.New(l.handler) }

// Section begins a part of the log; end ends it, and may be called more than once.
// In a GitLab job it can be folded, and is at first when collapsed is set; elsewhere
// it has a heading; in JSON it is one line.
// Source of the markers: docs.gitlab.com/ci/jobs/job_logs, custom collapsible sections.
func (l *Log) Section(name, title string, collapsed bool) (end func()) {
	title = line(l.opts.Redactor.String(title))
	switch {
	case l.json():
		l.Logger().Info(title, "section", name)
		return func() {}
	case !l.opts.GitLab:
		fmt.Fprintf(l.out, "\n%s\n", l.paint(bold, "== "+title))
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &section{name: l.unused(sectionName(name))}
	l.open = append(l.open, s)
	option := ""
	if collapsed {
		option = "[collapsed=true]"
	}
	fmt.Fprintf(l.out, "\x1b[0Ksection_start:%d:%s%s\r\x1b[0K%s\n", time.Now().Unix(), s.name, option, l.paint(bold, title))
	return func() { l.end(s) }
}

func (l *Log) end(s *section) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.open, s); i >= 0 {
		l.endFrom(i)
	}
}

// endFrom ends the section at depth i, and first those inside it that nobody ended.
func (l *Log) endFrom(i int) {
	for _, s := range slices.Backward(l.open[i:]) {
		fmt.Fprintf(l.out, "\x1b[0Ksection_end:%d:%s\r\x1b[0K\n", time.Now().Unix(), s.name)
	}
	l.open = l.open[:i]
}

// unused is name, or name with a number while a section of that name is open:
// GitLab knows open sections by their names.
func (l *Log) unused(name string) string {
	try := name
	for n := 2; slices.ContainsFunc(l.open, func(s *section) bool { return s.name == try }); n++ {
		try = fmt.Sprintf("%s-%d", name, n)
	}
	return try
}

// sectionName is name as GitLab would have it, told apart from other tools' names.
func sectionName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return "aigw-" + name
}

// Verdict writes the last lines of a run, whatever the level: what happened, what
// runs now, and what to do. It ends all sections, so that none hides it.
func (l *Log) Verdict(r upgrade.Result) {
	r = Report{Result: r}.clean(l.opts.Redactor).Result
	if l.json() {
		l.verdictRecord(r)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endFrom(0)
	_, _ = io.WriteString(l.out, renderVerdict(r, l.paint))
}

// verdictRecord is the verdict as one record of a JSON log.
func (l *Log) verdictRecord(r upgrade.Result) {
	level := slog.LevelInfo
	if r.ExitCode() != 0 {
		level = slog.LevelError
	}
	record := slog.NewRecord(time.Now(), level, headline(r), 0)
	record.AddAttrs(slog.String("outcome", string(r.Outcome)), slog.Int("exit_code", r.ExitCode()))
	if r.Err != nil {
		record.AddAttrs(slog.String("error", r.Err.Error()))
	}
	for _, f := range facts(r) {
		record.AddAttrs(slog.String(f.label, f.text))
	}
	for _, c := range append(with(r.Checks, upgrade.Fail), with(r.Checks, upgrade.Inconclusive)...) {
		record.AddAttrs(slog.Group(string(c.Stage)+"."+c.ID,
			slog.String("verdict", string(c.Verdict)), slog.String("detail", c.Detail), slog.String("remedy", c.Remedy), slog.String("more", known(c))))
	}
	_ = l.handler.Handle(context.Background(), record)
}

// colour is a code that GitLab's job log knows as every terminal does.
type colour string

const (
	bold   colour = "1"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

func (l *Log) paint(c colour, text string) string {
	if !l.opts.Color {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
