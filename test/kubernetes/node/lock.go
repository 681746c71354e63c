package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockFile is held as long as a cluster is up: there is one per machine at a time.
const lockFile = "/run/aigw-cluster.lock"

// takeLock waits for its turn.
func takeLock(ctx context.Context) (*os.File, error) {
	lock, err := os.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for said := false; ; said = true {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", lockFile, err)
		}
		if !said {
			say("another cluster is up: waiting for %s", lockFile)
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("interrupted")
		case <-time.After(200 * time.Millisecond):
		}
	}
}
