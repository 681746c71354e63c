package engine

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// message is one line of a pull's or an import's progress (moby,
// pkg/jsonmessage, 20.10).
type message struct {
	Status   string       `json:"status,omitempty"`
	Progress *detail      `json:"progressDetail,omitempty"`
	Bar      string       `json:"progress,omitempty"`
	ID       string       `json:"id,omitempty"`
	Detail   *errorDetail `json:"errorDetail,omitempty"`
	Error    string       `json:"error,omitempty"`
}

type detail struct {
	Current int64 `json:"current,omitempty"`
	Total   int64 `json:"total,omitempty"`
}

type errorDetail struct {
	Message string `json:"message"`
}

// progress streams messages to a client.
type progress struct {
	enc   *json.Encoder
	flush func() error
}

func newProgress(w http.ResponseWriter) *progress {
	w.Header().Set("Content-Type", "application/json")
	return &progress{json.NewEncoder(w), http.NewResponseController(w).Flush}
}

// line sends one message. A client that went away ends the call's context, which
// is where it is noticed.
func (p *progress) line(m message) {
	if p.enc.Encode(m) == nil {
		p.flush()
	}
}

// fail ends the stream with an error; the status of the answer is long sent.
func (p *progress) fail(err error) {
	p.line(message{Detail: &errorDetail{err.Error()}, Error: err.Error()})
}

// reportEvery is how many bytes of a layer pass between two lines.
const reportEvery = 1 << 20

// download reads a layer and reports how far it is.
type download struct {
	ctx      context.Context
	in       io.Reader
	id       string
	total    int64
	current  int64
	reported int64
	out      *progress
}

func (d *download) Read(b []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := d.in.Read(b)
	d.current += int64(n)
	if d.reported == 0 && n > 0 || d.current-d.reported >= reportEvery {
		d.reported = d.current
		d.report("Downloading", d.current)
	}
	return n, err
}

func (d *download) report(status string, current int64) {
	const width = 50
	filled := 0
	if d.total > 0 {
		filled = int(width * min(current, d.total) / d.total)
	}
	bar := append(bytes.Repeat([]byte("="), filled), '>')
	d.out.line(message{
		Status: status, Progress: &detail{current, d.total}, ID: d.id,
		Bar: fmt.Sprintf("[%-51s] %dB/%dB", bar, current, d.total),
	})
}

func (d *download) done() {
	for _, status := range []string{"Verifying Checksum", "Download complete"} {
		d.out.line(message{Status: status, Progress: &detail{}, ID: d.id})
	}
	d.report("Extracting", d.total)
	d.out.line(message{Status: "Pull complete", Progress: &detail{}, ID: d.id})
}

// decompress undoes gzip where it finds it. Other compressions are refused.
func decompress(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	head, err := in.Peek(4)
	switch {
	case err != nil && err != io.EOF:
		return nil, err
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(in)
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, fmt.Errorf("the stand-in engine does not unpack zstd: build the image with gzip layers")
	}
	return in, nil
}
