package docker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/moby/moby/client"

	"aigw-ci/internal/secret"
)

// Bounds on what is read of a gateway's logs.
const (
	maxLogLines = 5000
	maxLogLine  = 4 << 10  // bytes
	maxLogBytes = 16 << 20 // of the engine's stream
)

// Logs implements upgrade.Gateway.
func (h *handle) Logs(ctx context.Context, lines int) ([]string, error) {
	lines = min(max(lines, 1), maxLogLines)
	doing := "reading the logs of " + h.name
	found, err := h.engine.api.ContainerInspect(ctx, h.id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, h.engine.explain(doing, err)
	}
	stream, err := h.engine.api.ContainerLogs(ctx, h.id, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines),
	})
	if err != nil {
		return nil, h.engine.explain(doing, err)
	}
	defer stream.Close()
	tty := found.Container.Config != nil && found.Container.Config.Tty
	got, err := readLog(stream, tty, lines)
	if err != nil {
		return got, fmt.Errorf("%s: %w", doing, err)
	}
	return got, nil
}

// readLog reads the last lines of an engine's log stream. With a terminal there is
// one stream without frames.
func readLog(stream io.Reader, tty bool, lines int) ([]string, error) {
	var log logLines
	log.most = lines
	stdout, stderr := logWriter{log: &log}, logWriter{log: &log}
	limited := &io.LimitedReader{R: stream, N: maxLogBytes}
	var err error
	if tty {
		_, err = io.Copy(&stdout, limited)
	} else {
		err = demux(&stdout, &stderr, limited)
	}
	broken := err != nil || limited.N == 0
	stdout.end(broken)
	stderr.end(broken)
	return log.lines, err
}

// logLines keeps the last lines of both streams, in the order they were completed.
type logLines struct {
	lines []string
	most  int
}

func (l *logLines) add(line string) {
	l.lines = append(l.lines, clean(line, maxLogLine))
	if len(l.lines) > l.most {
		l.lines = l.lines[len(l.lines)-l.most:]
	}
}

// logWriter takes one stream apart into lines. It keeps not much more of a line than
// will be shown.
type logWriter struct {
	log  *logLines
	line []byte
	over bool // the line was longer
}

func (w *logWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		before, after, found := bytes.Cut(p, []byte{'\n'})
		kept := before[:min(len(before), 2*maxLogLine-len(w.line))]
		w.line = append(w.line, kept...)
		w.over = w.over || len(kept) < len(before)
		if !found {
			return n, nil
		}
		w.add()
		p = after
	}
}

// add ends the line.
func (w *logWriter) add() {
	line := string(w.line)
	if w.over {
		line += secret.Mark
	}
	w.log.add(line)
	w.line, w.over = w.line[:0], false
}

// end adds a last line that has no newline, of which there was more when the stream
// was broken off.
func (w *logWriter) end(broken bool) {
	if len(w.line) > 0 {
		w.over = w.over || broken
		w.add()
	}
}
