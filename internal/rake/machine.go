package rake

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// maxOutput is how much of each stream is taken, in bytes. The task writes some
// hundred lines.
const maxOutput = 1 << 20

// Machine runs commands on this machine, without a shell. They get an environment
// of their own: that of a CI job is full of secrets that are not GitLab's business.
type Machine struct{}

var _ Runner = Machine{}

// Run implements Runner. A program that is not there is exit status 127, as a shell
// has it.
func (Machine) Run(ctx context.Context, command []string) (stdout, stderr []byte, exit int, err error) {
	var out, errs capped
	program := exec.CommandContext(ctx, command[0], command[1:]...)
	program.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/gitlab/bin", "LANG=C.UTF-8", "HOME=/"}
	program.Dir = "/"
	program.Stdout, program.Stderr = &out, &errs
	program.WaitDelay = 5 * time.Second // a child that outlives it may keep the streams open
	err = program.Run()

	ended, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, []byte(command[0] + ": not found"), 127, nil
	case ok && ended.Exited():
		exit = ended.ExitCode()
	case ctx.Err() != nil:
		return nil, nil, 0, fmt.Errorf("running %s: %w", command[0], context.Cause(ctx))
	case err != nil:
		return nil, nil, 0, fmt.Errorf("running %s: %w", command[0], err)
	}
	if out.over || errs.over {
		return nil, nil, 0, fmt.Errorf("%s writes more than %d bytes: this is not GitLab's", command[0], maxOutput)
	}
	return out.data, errs.data, exit, nil
}

// capped takes the first maxOutput bytes that are written to it, and drops the rest.
type capped struct {
	data []byte
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	keep := p[:min(len(p), maxOutput-len(c.data))]
	c.over = c.over || len(keep) < len(p)
	c.data = append(c.data, keep...)
	return len(p), nil
}
