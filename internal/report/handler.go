package report

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"

	"aigw-ci/internal/secret"
)

// human writes records for a person: the message first, then key=value. There are
// no times; GitLab's runner and every terminal recorder add their own.
type human struct {
	out    *output
	level  slog.Level
	redact *secret.Redactor
	paint  func(colour, string) string

	group string      // the prefix of keys, with its dot
	attrs []slog.Attr // with their full keys
}

var _ slog.Handler = (*human)(nil)

// Enabled reports whether records of that level are written.
func (h *human) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// WithAttrs returns a handler that adds attrs to every record.
func (h *human) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = h.attrs[:len(h.attrs):len(h.attrs)]
	for _, a := range attrs {
		with.attrs = flatten(with.attrs, h.group, a)
	}
	return &with
}

// WithGroup returns a handler that puts name before the keys that follow.
func (h *human) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.group += name + "."
	return &with
}

// Handle writes a record in one piece. Values of several lines come after the line
// of the message, indented, because a quoted line break is hard to read.
func (h *human) Handle(_ context.Context, r slog.Record) error {
	attrs := h.attrs[:len(h.attrs):len(h.attrs)]
	r.Attrs(func(a slog.Attr) bool {
		attrs = flatten(attrs, h.group, a)
		return true
	})
	var text, below strings.Builder
	text.WriteString(h.prefix(r.Level))
	text.WriteString(strings.ReplaceAll(strings.TrimSpace(plain(h.redact.String(r.Message))), "\n", "\n  "))
	for _, a := range attrs {
		value := plain(h.redact.String(valueText(a.Value)))
		if strings.Contains(strings.TrimSpace(value), "\n") {
			fmt.Fprintf(&below, "  %s:\n%s\n", line(a.Key), indent(strings.TrimSpace(value), "    "))
			continue
		}
		fmt.Fprintf(&text, " %s=%s", line(a.Key), quoted(value))
	}
	_, err := h.out.Write([]byte(text.String() + "\n" + below.String()))
	return err
}

func (h *human) prefix(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return h.paint(red, "error:") + " "
	case level >= slog.LevelWarn:
		return h.paint(yellow, "warning:") + " "
	case level < slog.LevelInfo:
		return "debug: "
	}
	return ""
}

// flatten appends a, and the members of a group each by itself.
func flatten(attrs []slog.Attr, group string, a slog.Attr) []slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, member := range a.Value.Group() {
			attrs = flatten(attrs, group, member)
		}
		return attrs
	}
	if a.Equal(slog.Attr{}) {
		return attrs
	}
	a.Key = group + a.Key
	return append(attrs, a)
}

func valueText(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().UTC().Format(time.RFC3339)
	case slog.KindDuration:
		return v.Duration().Round(time.Millisecond).String()
	}
	return v.String()
}

// quoted is a value that can be told from its neighbours.
func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '=' }) {
		return strconv.Quote(s)
	}
	return s
}

// redactAttr removes secrets from a value before it is encoded as JSON, as which it
// could look different, and what JSON does not escape and a terminal acts on.
func redactAttr(redact *secret.Redactor, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(plain(redact.String(v)))
	case error:
		a.Value = slog.StringValue(plain(redact.String(v.Error())))
	case time.Duration:
		a.Value = slog.StringValue(v.Round(time.Millisecond).String())
	case time.Time, slog.Level: // encoded well enough
	case fmt.Stringer:
		a.Value = slog.StringValue(plain(redact.String(v.String())))
	}
	return a
}
