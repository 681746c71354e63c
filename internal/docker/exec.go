package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/client"
)

// maxProgramOutput is how much of each stream of a program is taken, in bytes.
const maxProgramOutput = 1 << 20

// Exec runs a program in a running container, given by its name or ID, and waits for
// its end. No shell is between: argv arrives as it is. The program has the
// container's user and environment, no terminal and no input.
//
// An error means that the program's end was not seen, and a program that writes more
// than 1 MiB to one of its streams is one. A program that the container does not
// have is none: the engine reports it as exit status 126 or 127, with its reason on
// either stream. When ctx ends the program is left alone, because an engine has no
// request to end one.
func (e *Engine) Exec(ctx context.Context, container string, argv []string) (stdout, stderr []byte, exit int, err error) {
	stdout, stderr, exit, err = e.exec(ctx, container, argv)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // and not the connection that was closed for it
	}
	if err != nil {
		return nil, nil, 0, e.explain(fmt.Sprintf("running %s in container %q", clean(argv[0], 100), clean(container, 100)), err)
	}
	return stdout, stderr, exit, nil
}

func (e *Engine) exec(ctx context.Context, container string, argv []string) (stdout, stderr []byte, exit int, err error) {
	made, err := e.api.ExecCreate(ctx, container, client.ExecCreateOptions{AttachStdout: true, AttachStderr: true, Cmd: argv})
	if err != nil {
		return nil, nil, 0, err
	}
	attached, err := e.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return nil, nil, 0, notOffered(err)
	}
	defer attached.Conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = attached.Conn.Close() })
	defer stop()
	var out, errs head
	if err := demux(&out, &errs, attached.Reader); err != nil {
		return nil, nil, 0, err
	}
	exit, err = e.exitStatus(ctx, made.ID)
	return out.data, errs.data, exit, err
}

// exitStatus waits for the end of a program whose streams have ended: an engine may
// take a moment longer to notice it.
func (e *Engine) exitStatus(ctx context.Context, exec string) (int, error) {
	for range 50 {
		found, err := e.api.ExecInspect(ctx, exec, client.ExecInspectOptions{})
		if err != nil {
			return 0, err
		}
		if !found.Running {
			return found.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return 0, errors.New("it closed its streams and does not end")
}

// head is the beginning of what a program writes to a stream. More than that is an
// error, which ends the reading.
type head struct {
	data []byte
	err  error
}

func (h *head) Write(p []byte) (int, error) {
	if len(h.data)+len(p) > maxProgramOutput {
		h.err = fmt.Errorf("it writes more than %d bytes", maxProgramOutput)
		return 0, h.err
	}
	h.data = append(h.data, p...)
	return len(p), nil
}
