package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	streaming "k8s.io/streaming/pkg/httpstream"

	"aigw-ci/internal/road"
	"aigw-ci/internal/upgrade"
)

// dialPod opens a connection to a port of a pod through the API server, as `kubectl
// port-forward` does: SPDY within a WebSocket, or SPDY alone where the server or a
// proxy knows nothing else. The node connects to localhost in the pod's network.
//
// Each connection is one of its own to the API server too: a node ends a forwarding
// with all its streams when one port refuses, so that sharing would let one
// connection take the others with it.
//
// Only the node knows whether anybody listens, and it says so after the connection
// is there: a refusal is the error of the first Read, and is syscall.ECONNREFUSED.
// Source: github.com/kubernetes/enhancements, KEP-4006.
func (c *Cluster) dialPod(ctx context.Context, pod string, port int) (net.Conn, error) {
	addr := net.JoinHostPort(pod, strconv.Itoa(port))
	conn, err := c.dialForward(ctx, pod)
	if err != nil {
		return nil, c.unforwarded(ctx, addr, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	stream, err := openForward(conn, addr, port)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, c.unforwarded(ctx, addr, err)
	}
	return road.NewConn(stream, addr), nil
}

// unforwarded is the error of a port-forward that did not come about.
func (c *Cluster) unforwarded(ctx context.Context, addr string, err error) error {
	doing := "forwarding port " + addr
	if ctx.Err() != nil {
		return c.explain(doing, context.Cause(ctx))
	}
	return &upgrade.RoadError{Err: c.explain(doing, err)}
}

// dialForward connects to the API server and asks it for a port-forward. The library
// takes no context, so it travels with the transport.
func (c *Cluster) dialForward(ctx context.Context, pod string) (httpstream.Connection, error) {
	config := rest.CopyConfig(c.rest)
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return within{ctx, rt} })
	url := c.api.CoreV1().RESTClient().Post().Namespace(c.namespace).Resource("pods").Name(pod).SubResource("portforward").URL()

	tunnel, err := portforward.NewSPDYOverWebsocketDialer(url, config)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	plain := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	conn, protocol, err := portforward.NewFallbackDialer(tunnel, plain, upgradeRefused).Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	if protocol != portforward.PortForwardProtocolV1Name {
		_ = conn.Close()
		return nil, fmt.Errorf("the API server offers protocol %q, and %q is needed", clean(protocol, 100), portforward.PortForwardProtocolV1Name)
	}
	return conn, nil
}

// upgradeRefused reports whether a WebSocket could not be had, so that SPDY is worth
// trying.
func upgradeRefused(err error) bool {
	return streaming.IsUpgradeFailure(err) || streaming.IsHTTPSProxyError(err)
}

// within is a transport whose requests end with a context.
type within struct {
	ctx  context.Context
	next http.RoundTripper
}

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.next.RoundTrip(r.WithContext(w.ctx))
}

// openForward opens the two streams of one connection.
func openForward(conn httpstream.Connection, addr string, port int) (*forward, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	complaints, err := conn.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	_ = complaints.Close() // our half: we do not write to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := conn.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	f := &forward{conn: conn, data: data, addr: addr, complaint: make(chan string, 1)}
	go func() { // ends with the stream, which Close ends
		text, _ := io.ReadAll(io.LimitReader(complaints, 4<<10))
		f.complaint <- string(text)
	}()
	return f, nil
}

// forward is one forwarded connection as a stream.
type forward struct {
	conn      httpstream.Connection
	data      httpstream.Stream
	addr      string
	complaint chan string // what the node says; empty when all went well
}

// complaintTimeout is how long the node's words may come after the end of the data.
const complaintTimeout = time.Second

// Read tells what the node has to say once the data ends.
func (f *forward) Read(p []byte) (int, error) {
	n, err := f.data.Read(p)
	if n > 0 || err == nil {
		return n, err
	}
	select {
	case text := <-f.complaint:
		f.complaint <- text
		if text != "" {
			return 0, refusal(f.addr, text)
		}
	case <-time.After(complaintTimeout):
	}
	if !errors.Is(err, io.EOF) {
		return 0, &upgrade.RoadError{Err: fmt.Errorf("the port-forward to %s broke: %w", f.addr, err)}
	}
	return 0, err
}

func (f *forward) Write(p []byte) (int, error) { return f.data.Write(p) }

// CloseWrite tells the pod that nothing more comes.
func (f *forward) CloseWrite() error { return f.data.Close() }

func (f *forward) Close() error {
	_ = f.data.Reset()
	return f.conn.Close()
}

// refusal is what a node says about a connection that did not come about.
func refusal(addr, text string) error {
	words := error(errors.New(clean(text, 500)))
	if strings.Contains(text, "connection refused") {
		words = syscall.ECONNREFUSED
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: road.Addr(addr), Err: words}
}
