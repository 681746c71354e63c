package docker

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// execStream is a program's standard output to read and its standard input to write.
type execStream struct {
	attached client.HijackedResponse
	output   *bufio.Reader
	pipe     *io.PipeReader
	copying  sync.WaitGroup
}

func newExecStream(attached client.HijackedResponse) *execStream {
	r, w := io.Pipe()
	s := &execStream{attached: attached, pipe: r, output: bufio.NewReaderSize(r, 1024)}
	s.copying.Go(func() { _ = w.CloseWithError(demux(w, io.Discard, attached.Reader)) })
	return s
}

// readLine reads one short line.
func (s *execStream) readLine() (string, error) {
	line, err := s.output.ReadSlice('\n')
	return string(line), err
}

// Read returns an *upgrade.RoadError when it is the engine that broke off.
func (s *execStream) Read(p []byte) (int, error) {
	n, err := s.output.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		err = &upgrade.RoadError{Err: err}
	}
	return n, err
}

func (s *execStream) Write(p []byte) (int, error) { return s.attached.Conn.Write(p) }
func (s *execStream) CloseWrite() error           { return s.attached.CloseWrite() }

func (s *execStream) Close() error {
	err := s.attached.Conn.Close()
	_ = s.pipe.Close()
	s.copying.Wait()
	return err
}
