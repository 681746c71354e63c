package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds on what is kept of a container's output, in bytes: one entry, as
// Docker splits longer lines, and all of them.
const (
	maxLine = 16 << 10
	maxLog  = 8 << 20
)

// The two streams, by their number in the multiplexed format.
const (
	stdout = 1
	stderr = 2
)

// logs are a container's output, over all its lives.
type logs struct {
	mu      sync.Mutex
	lines   []logLine
	dropped int // lines that had to go
	bytes   int
	more    chan struct{} // closed when something is added; nil while nobody waits
}

type logLine struct {
	at     time.Time
	stream byte
	text   []byte // with its line feed, unless it is part of a longer line
}

func (l *logs) add(line logLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	l.bytes += len(line.text)
	for l.bytes > maxLog {
		l.bytes -= len(l.lines[0].text)
		l.lines = l.lines[1:]
		l.dropped++
	}
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// from returns the lines from the nth on, the number to go on with, and a
// channel that closes when there is more.
func (l *logs) from(n int) (lines []logLine, next int, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more == nil {
		l.more = make(chan struct{})
	}
	next = l.dropped + len(l.lines)
	return l.lines[min(max(n-l.dropped, 0), len(l.lines)):], next, l.more
}

// stream is a program's standard output or error: it cuts what is written into lines.
type stream struct {
	to   *logs
	kind byte
	rest []byte
}

func (s *stream) Write(b []byte) (int, error) {
	s.rest = append(s.rest, b...)
	for {
		i := bytes.IndexByte(s.rest, '\n') + 1
		if i == 0 || i > maxLine {
			if i = maxLine; len(s.rest) < maxLine {
				return len(b), nil
			}
		}
		s.to.add(logLine{time.Now(), s.kind, bytes.Clone(s.rest[:i])})
		s.rest = s.rest[i:]
	}
}

// end adds a last line that had no line feed.
func (s *stream) end() {
	if len(s.rest) > 0 {
		s.to.add(logLine{time.Now(), s.kind, s.rest})
		s.rest = nil
	}
}

// reading is one logs call.
type reading struct {
	out        io.Writer
	raw        bool // no frames: the container has a terminal
	timestamps bool
	streams    [3]bool
	since      time.Time
	until      time.Time
}

func (e *Engine) containerLogs(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	read := reading{
		out: w, timestamps: truth(r, "timestamps"),
		streams: [3]bool{stdout: truth(r, "stdout"), stderr: truth(r, "stderr")},
		since:   unixTime(q.Get("since")), until: unixTime(q.Get("until")),
	}
	if !read.streams[stdout] && !read.streams[stderr] {
		return refuse(http.StatusBadRequest, "Bad parameters: you must choose at least one stream")
	}
	e.mu.Lock()
	c, err := e.find(r.PathValue("id"))
	e.mu.Unlock()
	if err != nil {
		return err
	}
	read.raw = c.config.Tty
	tail := -1
	if n, err := strconv.Atoi(q.Get("tail")); err == nil && n >= 0 {
		tail = n
	}
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	flush()
	for next := 0; ; {
		running, changed := e.watch(c)
		lines, n, more := c.log.from(next)
		if lines = read.choose(lines); next == 0 && tail >= 0 {
			lines = lines[max(len(lines)-tail, 0):]
		}
		if err := read.write(lines); err != nil {
			return nil // the client went away
		}
		flush()
		if next = n; !truth(r, "follow") || !running {
			return nil
		}
		waitAny(r.Context(), more, changed)
		if r.Context().Err() != nil {
			return nil
		}
	}
}

func waitAny(ctx context.Context, a, b <-chan struct{}) {
	select {
	case <-a:
	case <-b:
	case <-ctx.Done():
	}
}

// watch says whether a container runs, and gives a channel that closes when
// that may have changed.
func (e *Engine) watch(c *instance) (running bool, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.running(), c.changed
}

func (r *reading) choose(lines []logLine) []logLine {
	var out []logLine
	for _, l := range lines {
		late := !r.until.IsZero() && l.at.After(r.until)
		if r.streams[l.stream] && !l.at.Before(r.since) && !late {
			out = append(out, l)
		}
	}
	return out
}

// write sends lines, each in a frame: stream, three zero bytes, length as
// big-endian uint32 (Engine API, "Attach to a container", stream format).
func (r *reading) write(lines []logLine) error {
	for _, l := range lines {
		text := l.text
		if r.timestamps {
			text = append([]byte(l.at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00")+" "), text...)
		}
		if !r.raw {
			head := [8]byte{l.stream}
			binary.BigEndian.PutUint32(head[4:], uint32(len(text)))
			text = append(head[:], text...)
		}
		if _, err := r.out.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// unixTime reads seconds with an optional fraction; anything else is no time.
func unixTime(s string) time.Time {
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec == 0 {
		return time.Time{}
	}
	nsec, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Unix(sec, nsec)
}
