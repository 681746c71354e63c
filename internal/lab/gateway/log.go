package gateway

import (
	"io"
	"log/slog"
	"strings"
)

const levelCritical = slog.LevelError + 4

// newLogger writes lines as the real one does: JSON with event, level and timestamp,
// or the same as text.
func newLogger(w io.Writer, text bool) *slog.Logger {
	options := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.MessageKey:
			a.Key = "event"
		case slog.TimeKey:
			a.Key = "timestamp"
		case slog.LevelKey:
			level := a.Value.Any().(slog.Level)
			if level >= levelCritical {
				return slog.String("level", "critical")
			}
			return slog.String("level", strings.ToLower(level.String()))
		}
		return a
	}}
	if text {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
