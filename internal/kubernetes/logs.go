package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"aigw-ci/internal/secret"
)

// Bounds on what is read of a container's log.
const (
	maxLogLines = 5000
	maxLogLine  = 4 << 10  // bytes
	maxLogBytes = 16 << 20 // of one container
	maxLogPods  = 20
)

// logLine is one line and when it was written, by the node's clock.
type logLine struct {
	at   time.Time
	text string
}

// Logs implements upgrade.Gateway: the last lines of all pods of the newest
// ReplicaSet together, in the order of their times; of a container that was
// restarted, also those of the one before.
func (h *handle) Logs(ctx context.Context, lines int) ([]string, error) {
	lines = min(max(lines, 1), maxLogLines)
	r, err := h.cluster.rollout(ctx, h.workload)
	if err != nil {
		return nil, err
	}
	var all []logLine
	var errs []error
	for i := range r.pods[:min(len(r.pods), maxLogPods)] {
		p := &r.pods[i]
		s := statusOf(p, h.container)
		if s == nil {
			continue
		}
		if s.LastTerminationState.Terminated != nil {
			got, err := h.cluster.podLog(ctx, p.Name, h.container, true, lines)
			all, errs = append(all, got...), append(errs, err)
		}
		if s.State.Waiting == nil {
			got, err := h.cluster.podLog(ctx, p.Name, h.container, false, lines)
			all, errs = append(all, got...), append(errs, err)
		}
	}
	slices.SortStableFunc(all, func(a, b logLine) int { return a.at.Compare(b.at) })
	return texts(all[max(0, len(all)-lines):]), errors.Join(errs...)
}

func texts(lines []logLine) []string {
	var s []string
	for _, l := range lines {
		s = append(s, l.text)
	}
	return s
}

// podLog reads the last lines of one container. A log that is not there (any more) is
// empty.
func (c *Cluster) podLog(ctx context.Context, pod, container string, previous bool, lines int) ([]logLine, error) {
	doing := fmt.Sprintf("reading the log of pod %s, container %s", pod, container)
	stream, err := c.api.CoreV1().Pods(c.namespace).GetLogs(pod, &corev1.PodLogOptions{
		Container: container, Previous: previous, Timestamps: true,
		TailLines: new(int64(lines)), LimitBytes: new(int64(maxLogBytes)),
	}).Stream(ctx)
	if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) { // "previous terminated container not found", "is waiting to start"
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(doing, err)
	}
	defer stream.Close()
	got, err := readLog(stream, lines)
	if err != nil {
		return got, fmt.Errorf("%s: %w", doing, err)
	}
	return got, nil
}

// readLog reads a log with time stamps, of which it keeps the last lines. A line
// without one is from the same moment as the line before. Of a line that is too long,
// or is the last one of a log that was broken off, the beginning is kept and marked.
func readLog(stream io.Reader, lines int) ([]logLine, error) {
	var got []logLine
	var last time.Time
	limited := &io.LimitedReader{R: stream, N: maxLogBytes}
	for r := bufio.NewReaderSize(limited, 2*maxLogLine); ; {
		line, err := readLine(r)
		ended := errors.Is(err, io.EOF)
		if line != "" || err == nil {
			// The server stops at the same number of bytes, and says nothing either.
			if err != nil && (!ended || limited.N == 0) {
				line += secret.Mark
			}
			stamp, text, _ := strings.Cut(line, " ")
			if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
				last, line = at, text
			}
			got = append(got, logLine{last, clean(line, maxLogLine)})
		}
		switch {
		case ended:
			return got[max(0, len(got)-lines):], nil
		case err != nil:
			return got[max(0, len(got)-lines):], err
		case len(got) > 2*lines:
			got = append(got[:0], got[len(got)-lines:]...)
		}
	}
}

// readLine reads a line, without its end. An error says that no end came; what came
// before is returned with it. What does not fit into the buffer is left out.
func readLine(r *bufio.Reader) (string, error) {
	raw, err := r.ReadSlice('\n')
	line := strings.TrimRight(string(raw), "\r\n")
	for errors.Is(err, bufio.ErrBufferFull) {
		if _, err = r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return line + secret.Mark, err
		}
	}
	return line, err
}
