package docker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// demux takes apart the stream in which an engine sends a program's standard
// output and standard error without a terminal: frames of one byte for the
// stream (1 output, 2 error), three zeros, the length as a big-endian uint32, and
// so many bytes. Source: Docker Engine API, "Attach to a container", Stream
// format. It ends with nil where the stream ends between frames. A frame is
// copied as it comes and never held in memory as a whole.
func demux(stdout, stderr io.Writer, r io.Reader) error {
	var header [8]byte
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("reading the engine's stream: %w", err)
		}
		frame := io.LimitReader(r, int64(binary.BigEndian.Uint32(header[4:])))
		switch header[0] {
		case 0, 1:
			if err := copyFrame(stdout, frame); err != nil {
				return err
			}
		case 2:
			if err := copyFrame(stderr, frame); err != nil {
				return err
			}
		case 3: // an error of the engine itself
			var words strings.Builder
			_, _ = io.Copy(&words, io.LimitReader(frame, 4<<10)) // more than clean looks at, so that it marks the cut
			return errors.New("the engine ended the stream: " + clean(words.String(), 500))
		default:
			return fmt.Errorf("the engine's stream has a frame of unknown kind %d", header[0])
		}
	}
}

func copyFrame(w io.Writer, frame io.Reader) error {
	if _, err := io.Copy(w, frame); err != nil {
		return fmt.Errorf("reading the engine's stream: %w", err)
	}
	if rest := frame.(*io.LimitedReader).N; rest > 0 {
		return fmt.Errorf("reading the engine's stream: %w: %d bytes of a frame are missing", io.ErrUnexpectedEOF, rest)
	}
	return nil
}
