package secret

import (
	"bytes"
	"io"
	"sync"
)

// Writer returns a writer that redacts what is written to it and passes whole
// lines on to w: a secret that arrives in pieces is still found. Close passes on
// a last line without an end; it does not close w.
//
// A line is held in memory until it ends, so writers bound their lines.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser {
	return &lineWriter{redactor: r, w: w}
}

type lineWriter struct {
	redactor *Redactor

	mu   sync.Mutex
	w    io.Writer
	rest []byte // the line that has not ended yet
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	end := bytes.LastIndexByte(l.rest, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	lines := l.redactor.Bytes(l.rest[:end])
	_, err := l.w.Write(lines)
	l.rest = append(l.rest[:0], l.rest[end:]...)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (l *lineWriter) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) == 0 {
		return nil
	}
	_, err := l.w.Write(l.redactor.Bytes(l.rest))
	l.rest = nil
	return err
}
