package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
)

// night is one run of the job.
type night struct {
	name        string // of the directory of its reports
	gitlab      string // GitLab's version tonight
	publish     string // a release that came out today; empty for none
	mode        gateway.Mode
	title, text string

	exit      int    // the exit code that is right
	serves    string // the tag that serves in the morning
	untouched bool   // no user may notice anything
}

// story is the telling.
type story struct {
	demoOptions
	*place
	estate     *lab.Estate
	port, grpc string // of the gateway
	home, path string
	out        io.Writer
}

// tell runs all nights, with users at work.
func (s *story) tell(ctx context.Context) error {
	users := &lab.Users{URL: "http://127.0.0.1:" + s.port}
	working, rest := context.WithCancel(ctx)
	defer rest()
	stopped := make(chan struct{})
	close(stopped)
	for i, n := range nights {
		before := users.Tally()
		if err := s.night(ctx, n); err != nil {
			return err
		}
		if i == 0 { // from now on there is a gateway to use
			stopped = make(chan struct{})
			go func() {
				defer close(stopped)
				users.Run(working)
			}()
			continue
		}
		served, failed := users.Tally().Served-before.Served, users.Tally().Failed-before.Failed
		fmt.Fprintf(s.out, "Users meanwhile: %d questions answered, %d not.\n", served, failed)
		if n.untouched && failed > 0 {
			return fmt.Errorf("night %s: users noticed: %s", n.name, users.Tally().Last)
		}
	}
	rest()
	<-stopped
	fmt.Fprintf(s.out, "\nThe reports of the four nights are in %s; begin with %s.\n", s.dir, filepath.Join(s.dir, nights[3].name, "summary.md"))
	return nil
}

// night runs the job once, and looks whether it ended as it should.
func (s *story) night(ctx context.Context, n night) error {
	fmt.Fprintf(s.out, "\n\n━━━ %s\n    %s\n\n", n.title, n.text)
	if n.publish != "" {
		o := image.Options{Tag: n.publish, Mode: n.mode, After: 2 * time.Second}
		if err := s.estate.PublishImage(o); err != nil {
			return err
		}
	}
	s.estate.SetVersion(n.gitlab)

	dir := filepath.Join(s.dir, n.name)
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "    $ aigw-ci upgrade --report-dir %s\n\n", dir)
	code, err := s.upgrade(ctx, dir)
	if err != nil {
		return err
	}
	serves, err := s.serves(dir)
	if err != nil {
		return err
	}
	if code != n.exit || serves != n.serves {
		return fmt.Errorf("night %s: exit code %d with %q serving, not %d with %q", n.name, code, serves, n.exit, n.serves)
	}
	fmt.Fprintf(s.out, "\nExit code %d, as it should be. %s serves.\n", code, serves)
	return nil
}

// upgrade runs the program and shows what it says, indented.
func (s *story) upgrade(ctx context.Context, dir string) (int, error) {
	// The address that containers know GitLab by; for processes loopback does.
	inside := s.estate.GitLabURL
	if len(s.inside) > 0 {
		inside = s.estate.GitLabURLAt(s.inside[0])
	}
	program := exec.CommandContext(ctx, s.program, "upgrade", "--report-dir", dir)
	program.Cancel = func() error { return program.Process.Signal(os.Interrupt) }
	program.WaitDelay = time.Minute
	program.Env = []string{
		"HOME=" + s.home, "PATH=" + s.path, "USER=demo",
		"DOCKER_HOST=" + s.host,
		"AIGW_CI_GITLAB_URL=" + s.estate.GitLabURL,
		"AIGW_CI_GITLAB_TOKEN=" + gitlab.TokenReadAPI,
		"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=" + inside + "\nAIGW_GITLAB_API_URL=" + inside + "/api/v4/",
		"AIGW_CI_IMAGE_REPOSITORY=" + s.estate.RegistryHost + "/" + lab.DockerHub,
		"AIGW_CI_DOCKER_CONTAINER=" + s.container,
		"AIGW_CI_DOCKER_PORTS=127.0.0.1:" + s.port + ":5052,127.0.0.1:" + s.grpc + ":50052",
		"AIGW_CI_VERIFY_TIMEOUT=60s",
		"AIGW_CI_VERIFY_HOLD=5s",
	}
	said, pipe := io.Pipe()
	program.Stdout, program.Stderr = pipe, pipe
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		lines := bufio.NewScanner(said)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			fmt.Fprintln(s.out, strings.TrimRight("    │ "+lines.Text(), " "))
		}
		_, _ = io.Copy(io.Discard, said)
	}()
	err := program.Run()
	_ = pipe.Close()
	<-shown
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return program.ProcessState.ExitCode(), nil
}

// serves reads from the report which release runs now.
func (s *story) serves(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		return "", err
	}
	var report struct{ After *struct{ Image string } }
	if err := json.Unmarshal(data, &report); err != nil {
		return "", fmt.Errorf("reading report.json: %w", err)
	}
	if report.After == nil {
		return "", nil
	}
	reference, _, _ := strings.Cut(report.After.Image, "@")
	return reference[strings.LastIndexByte(reference, ':')+1:], nil
}
