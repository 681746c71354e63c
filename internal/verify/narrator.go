package verify

import (
	"log/slog"
	"time"
)

// narrator tells the reader of a job log what the gate waits for: when the reason
// changes, and now and then in between.
type narrator struct {
	said string
	at   time.Time
}

const sayAgain = 30 * time.Second

func (n *narrator) tell(log *slog.Logger, seen *sheet, left time.Duration) {
	why := seen.summary()
	switch {
	case why == "":
		log.Debug("every check passed; looking again")
		return
	case why == n.said && time.Since(n.at) < sayAgain:
		return
	}
	n.said, n.at = why, time.Now()
	log.Info("waiting for the gateway", "left", left.Round(time.Second), "because", why)
}
