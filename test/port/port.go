// Package port hands out ports for gateways to publish, from below the range that the
// kernel chooses from, so that no connection happens to take one before the engine
// does.
package port

import (
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
)

// handedOut makes every port of a run another one.
var handedOut atomic.Int32

// Free is a port that nobody listens on at an address of this machine. It is one of
// the ten thousand from first on; packages whose tests run at the same time have a
// first of their own.
func Free(t testing.TB, host string, first int) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(first + (os.Getpid()+int(handedOut.Add(1)))%10000)
		if l, err := net.Listen("tcp", net.JoinHostPort(host, port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatalf("no free port from %d to %d", first, first+9999)
	return ""
}
