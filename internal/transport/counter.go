package transport

import (
	"io"
	"net/http"
	"sync/atomic"
)

// Counter counts what passes through it. It may be read while it is in use.
type Counter struct {
	Base http.RoundTripper

	requests atomic.Int64
	bytes    atomic.Int64
}

var _ http.RoundTripper = (*Counter)(nil)

// RoundTrip counts the request, also when it fails.
func (c *Counter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	resp, err := c.Base.RoundTrip(req)
	if err == nil {
		resp.Body = &countedBody{ReadCloser: resp.Body, bytes: &c.bytes}
	}
	return resp, err
}

// Requests is the number of requests sent.
func (c *Counter) Requests() int { return int(c.requests.Load()) }

// Bytes is the number of body bytes that were read by whoever asked, after
// decompression; a body that was thrown away unread does not count.
func (c *Counter) Bytes() int64 { return c.bytes.Load() }

type countedBody struct {
	io.ReadCloser
	bytes *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	return n, err
}
