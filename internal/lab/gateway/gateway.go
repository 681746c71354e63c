// Package gateway is a stand-in for GitLab's self-hosted AI Gateway: the same ports,
// paths, answers, variables and log texts, as far as they are public, and nothing
// behind them. How it fails is chosen by the image it runs from.
//
// Sources: docs.gitlab.com/install/install_ai_gateway and its troubleshooting page;
// gitlab-org/modelops/applied-ml/code-suggestions/ai-assist, docs and tests.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// drain is how long requests may take to end after SIGTERM; an engine kills after
// ten seconds.
const drain = 8 * time.Second

// Run is a gateway's life, from its start until ctx ends. It returns the exit code.
func Run(ctx context.Context, s Settings, stdout, stderr io.Writer) int {
	g := &gateway{settings: s, log: newLogger(stdout, s.LogText), users: make(chan struct{}), fetched: make(chan struct{})}
	if !sleep(ctx, s.BootDelay) {
		return 0
	}
	if s.Mode == CrashAtBoot {
		traceback(stderr, "ai_gateway/app.py", 31, "get_app", "ModuleNotFoundError: No module named 'ai_gateway.integrations.lab'")
		return 1
	}
	if s.Bypass {
		g.log.Log(ctx, levelCritical, "Auth is disabled, all users allowed")
	}
	g.checkKeys()

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var background sync.WaitGroup
	background.Go(func() { g.fetchKeys(ctx) })
	background.Go(func() { g.doom(ctx, stop) })
	g.serve(ctx, stderr)
	died := errors.Is(context.Cause(ctx), errDied)
	interrupted := ctx.Err() != nil
	stop(nil)
	background.Wait()

	switch {
	case died:
		traceback(stderr, "ai_gateway/models/base.py", 112, "_run", "MemoryError: the release is broken")
		return 1
	case !interrupted: // every service ended by itself
		return 1
	}
	g.log.Info("Finished server process")
	return 0
}

// gateway is one running stand-in.
type gateway struct {
	settings Settings
	log      *slog.Logger
	keys     keySet

	meet  sync.Once
	users chan struct{} // closed when the first user comes

	fetched chan struct{} // closed when GitLab's keys were read, or could not be
}

// errDied is the cause of an end that the mode brought.
var errDied = errors.New("died")

// doom ends the gateway when its mode wants it.
func (g *gateway) doom(ctx context.Context, stop context.CancelCauseFunc) {
	switch g.settings.Mode {
	case DiesWithUsers:
		select {
		case <-g.users:
		case <-ctx.Done():
			return
		}
	case DiesAfter:
	default:
		return
	}
	if sleep(ctx, g.settings.After) {
		stop(errDied)
	}
}

// serve runs the services until ctx ends or all of them have. One that fails does
// not stop the other: run.sh starts them with `parallel --halt never`.
func (g *gateway) serve(ctx context.Context, stderr io.Writer) {
	var services sync.WaitGroup
	start := func(run func(context.Context) error) {
		services.Go(func() {
			if err := run(ctx); err != nil {
				g.log.Error("service ended", "error", err.Error())
				traceback(stderr, "uvicorn/server.py", 163, "startup", "OSError: "+err.Error())
			}
		})
	}
	if !g.settings.NoAPI {
		start(g.serveAPI)
	}
	if !g.settings.NoGRPC && g.settings.Mode != GRPCDead {
		start(g.serveGRPC)
	}
	services.Wait()
}

// traceback writes an error as Python does.
func traceback(w io.Writer, file string, line int, function, text string) {
	_, _ = fmt.Fprintf(w, "Traceback (most recent call last):\n  File \"/home/aigateway/app/%s\", line %d, in %s\n%s\n", file, line, function, text)
}

// sleep waits and reports whether it did to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
