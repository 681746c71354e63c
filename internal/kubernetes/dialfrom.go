package kubernetes

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/remotecommand"

	"aigw-ci/internal/road"
	"aigw-ci/internal/upgrade"
)

// relayProgram joins a connection with its standard input and output. GitLab's image
// has Python, and nothing else that can do it. Source:
// gitlab-org/modelops/applied-ml/code-suggestions/ai-assist, Dockerfile.
//
//go:embed relay.py
var relayProgram string

// DialFrom implements upgrade.Gateway: a Python program in the gateway's own
// container makes the connection. Where the image has no Python, or this user may
// run nothing in a pod, the error is errors.ErrUnsupported.
func (h *handle) DialFrom(ctx context.Context, addr string) (net.Conn, error) {
	host, port, err := relayAddress(addr)
	if err != nil {
		return nil, err
	}
	r, err := h.cluster.rollout(ctx, h.workload)
	if err != nil {
		return nil, &upgrade.RoadError{Err: err}
	}
	pod := reachable(r.pods, h.container)
	if pod == nil {
		return nil, fmt.Errorf("connecting from the gateway to %s: no pod of Deployment %s runs", addr, h.deployment)
	}
	s := h.cluster.startRelay(ctx, place{pod.Namespace, pod.Name, h.container}, host, port)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	line, err := s.readLine()
	if !stop() {
		return nil, &upgrade.RoadError{Err: fmt.Errorf("connecting from pod %s to %s took too long: %w", pod.Name, addr, context.Cause(ctx))}
	}
	if err == nil {
		err = road.ParseFirstLine(addr, line)
	} else {
		_ = s.Close()
		err = h.cluster.explain(fmt.Sprintf("connecting from pod %s to %s", pod.Name, addr), s.why(err))
		if !errors.Is(err, errors.ErrUnsupported) {
			err = &upgrade.RoadError{Err: err}
		}
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return road.NewConn(s, addr), nil
}

// hostName is a DNS name or an IP address.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_.:-]{0,252}$`)

// relayAddress takes an address apart, and takes only what cannot be anything else.
func relayAddress(addr string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(addr)
	number, numeric := strconv.ParseUint(port, 10, 16)
	if err != nil || numeric != nil || number == 0 || !hostName.MatchString(host) {
		return "", "", fmt.Errorf("relay address %q is no host:port", clean(addr, 200))
	}
	return host, strconv.FormatUint(number, 10), nil
}

// relay is a running relay program.
type relay struct {
	input  *io.PipeWriter
	output *bufio.Reader
	pipe   *io.PipeReader // what output reads
	cancel context.CancelFunc
	words  bounded // what it wrote to stderr; to be read after done is closed
	err    error   // how it ended; likewise
	done   chan struct{}
}

// startRelay starts the program. It outlives ctx; Close ends it.
func (c *Cluster) startRelay(ctx context.Context, in place, host, port string) *relay {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stdin, input := io.Pipe()
	pipe, stdout := io.Pipe()
	r := &relay{input: input, output: bufio.NewReader(pipe), pipe: pipe, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = c.exec(ctx, in, []string{"python3", "-I", "-c", relayProgram, host, port},
			remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: &r.words})
		_ = stdout.Close() // who reads sees the end,
		_ = input.Close()  // and who writes sees that nobody reads
	}()
	return r
}

func (r *relay) Read(p []byte) (int, error)  { return r.output.Read(p) }
func (r *relay) Write(p []byte) (int, error) { return r.input.Write(p) }
func (r *relay) CloseWrite() error           { return r.input.Close() }

// Close ends the program: its input ends with our connection, and it ends with that.
func (r *relay) Close() error {
	r.cancel()
	_ = r.input.Close()
	_ = r.pipe.Close()
	<-r.done
	return nil
}

func (r *relay) readLine() (string, error) {
	line, err := r.output.ReadSlice('\n') // at most the buffer's size
	return string(line), err
}

// why is how the program ended, for whom it ended too early. It has ended.
func (r *relay) why(err error) error {
	text := clean(r.words.String(), 500)
	if r.err != nil {
		text = clean(r.err.Error(), 500) + " " + text
	}
	code, _ := exitCode(r.err)
	switch {
	case apierrors.IsForbidden(r.err):
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, r.err)
	case code == 126, code == 127, strings.Contains(text, "executable file not found"), strings.Contains(text, "no such file or directory"):
		return fmt.Errorf("%w: the image has no python3 to do it with", errors.ErrUnsupported)
	case r.err != nil && !errors.Is(r.err, context.Canceled):
		return r.err
	}
	return fmt.Errorf("the relay ended before it said how it went: %w; %s", err, text)
}
