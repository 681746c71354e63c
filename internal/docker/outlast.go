package docker

import (
	"context"
	"time"
)

// answerTime is how long a run that was cancelled still waits for the engine's answer.
const answerTime = 5 * time.Second

// outlast is the context for a request that makes something. An engine carries out what
// it was asked for also when nobody waits any more, and what it made nobody would know
// of: so the context of a request that is on its way ends a little after ctx does.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return context.WithCancel(ctx)
	}
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		last := time.NewTimer(answerTime)
		defer last.Stop()
		select {
		case <-last.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}
