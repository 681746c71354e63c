package docker

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/moby/moby/api/types/jsonstream"
)

// FuzzPullStream takes whatever an engine may say of a pull: nothing of it makes the
// counting go wrong, or lines that never get on look as if they did.
func FuzzPullStream(f *testing.F) {
	f.Add(goodPull)
	f.Add(`{"status":"Downloading","progressDetail":{"current":-1,"total":9223372036854775807},"id":"1"}{"status":"Download complete","id":"1"}`)
	f.Add(`{"status":"Extracting","id":"1"}{"status":"Pull complete","id":"1"}{"status":"Pulling fs layer","id":"1"}`)
	f.Add(`{"errorDetail":{"message":"\u001b[2J"},"error":"x"}`)
	f.Fuzz(func(t *testing.T, stream string) {
		p := newProgress(time.Unix(0, 0))
		for d := json.NewDecoder(strings.NewReader(stream)); ; {
			var m jsonstream.Message
			if d.Decode(&m) != nil {
				break
			}
			p.add(m)
			if p.add(m) && m.Status != "Extracting" {
				t.Fatalf("said twice, %+v is news twice", m)
			}
		}
		if len(p.layers) > maxLayers {
			t.Errorf("%d layers", len(p.layers))
		}
		var log bytes.Buffer
		p.log(slog.New(slog.NewTextHandler(&log, nil)), time.Unix(1, 0), "pulling")
		if strings.ContainsFunc(strings.TrimSpace(log.String()), unicode.IsControl) {
			t.Errorf("%q", log.String())
		}
	})
}

// FuzzReadLog wants lines that are short and only shown of whatever a log has.
func FuzzReadLog(f *testing.F) {
	f.Add([]byte(frame(1, "one\ntw")+frame(2, "err\n")+frame(1, "o\nlast")), false)
	f.Add([]byte("\x1b[32mready\x1b[0m\r\n\u202e\u2028next\n\n"), true)
	f.Add([]byte(strings.Repeat("x", 3*maxLogLine)+"\n\xff"), true)
	f.Fuzz(func(t *testing.T, stream []byte, tty bool) {
		lines, _ := readLog(io.MultiReader(bytes.NewReader(stream), &broken{}), tty, 5)
		if len(lines) > 5 {
			t.Errorf("%d lines", len(lines))
		}
		for _, line := range lines {
			if len(line) > maxLogLine+3 || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
				t.Errorf("%q", line)
			}
		}
	})
}
