package docker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/moby/moby/client"
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
	limited := io.LimitReader(stream, maxLogBytes)
	var err error
	if tty {
		_, err = io.Copy(&stdout, limited)
	} else {
		err = demux(&stdout, &stderr, limited)
	}
	stdout.end()
	stderr.end()
	return log.lines, err
}

// logLines keeps the last lines of both streams, in the order they were completed.
type logLines struct {
	lines []string
	most  int
}

func (l *logLines) add(line []byte) {
	l.lines = append(l.lines, clean(string(line), maxLogLine))
	if len(l.lines) > l.most {
		l.lines = l.lines[len(l.lines)-l.most:]
	}
}

// logWriter cuts one stream into lines. It keeps no more of a line than will be shown.
type logWriter struct {
	log  *logLines
	line []byte
}

func (w *logWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		before, after, found := bytes.Cut(p, []byte{'\n'})
		w.line = append(w.line, before[:min(len(before), max(0, 2*maxLogLine-len(w.line)))]...)
		if !found {
			return n, nil
		}
		w.log.add(w.line)
		w.line = w.line[:0]
		p = after
	}
}

// end adds a last line that has no newline.
func (w *logWriter) end() {
	if len(w.line) > 0 {
		w.log.add(w.line)
		w.line = nil
	}
}
