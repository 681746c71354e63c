package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// frame is one piece of an engine's stream.
func frame(kind byte, text string) string {
	header := make([]byte, 8)
	header[0] = kind
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	return string(header) + text
}

func TestDemux(t *testing.T) {
	tests := []struct {
		name, in, stdout, stderr, err string
	}{
		{name: "empty"},
		{name: "both", in: frame(1, "out ") + frame(2, "err ") + frame(1, "") + frame(1, "put") + frame(2, "or"), stdout: "out put", stderr: "err or"},
		{name: "stdin echo", in: frame(0, "in"), stdout: "in"},
		{name: "engine's error", in: frame(1, "x") + frame(3, "disk\x1b[31m full"), stdout: "x", err: "the engine ended the stream: disk full"},
		{name: "unknown kind", in: frame(9, "x"), err: "unknown kind 9"},
		{name: "cut in a header", in: frame(1, "x") + "\x01\x00", stdout: "x", err: "unexpected EOF"},
		{name: "cut in a frame", in: frame(1, "text")[:10], stdout: "te", err: "2 bytes of a frame are missing"},
		{name: "no frames at all", in: "<html>not found</html>", err: "unknown kind"},
	}
	for _, test := range tests {
		var stdout, stderr bytes.Buffer
		err := demux(&stdout, &stderr, strings.NewReader(test.in))
		if stdout.String() != test.stdout || stderr.String() != test.stderr {
			t.Errorf("%s: got %q and %q, want %q and %q", test.name, &stdout, &stderr, test.stdout, test.stderr)
		}
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.err)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestDemuxReportsItsWriter(t *testing.T) {
	if err := demux(brokenWriter{}, io.Discard, strings.NewReader(frame(1, "x"))); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("error %v, want the writer's", err)
	}
}

func FuzzDemux(f *testing.F) {
	f.Add([]byte(frame(1, "out") + frame(2, "err")))
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		_ = demux(&out, &out, bytes.NewReader(in))
		if out.Len() > len(in) {
			t.Errorf("%d bytes became %d", len(in), out.Len())
		}
	})
}
