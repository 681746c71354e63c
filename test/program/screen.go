package program

import (
	"bytes"
	"io"
	"sync"
)

// Screen is what a program has said so far. It may be read while the program runs; the
// zero Screen is empty.
type Screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

var _ io.Writer = (*Screen)(nil)

// Write adds to what was said.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String is all that was said so far.
func (s *Screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
