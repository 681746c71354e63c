package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// hurried is the pace of the program in tests. What it waits for is on this machine.
var hurried = pace{look: 50 * time.Millisecond, lockTTL: 3 * time.Second, patience: 6 * time.Second, window: 5 * time.Second}

// TestMain runs the tests, and also the program itself: called by the name aigw-ci
// the test binary is one, so that a test can have it as a process, and kill it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "aigw-ci" {
		os.Exit(program())
	}
	flag.Parse()
	waiting() // is what these tests do nearly all of the time
	os.Exit(m.Run())
}

// installed is a directory with the program in it.
func installed(t testing.TB) string {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(dir, "aigw-ci")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// waiting lets more tests run at once than there are processors.
func waiting() {
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := f.Value.Set("24"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// program is main, in a hurry. It has no executable to copy to an engine: the
// stand-in engine would have no use for it.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], system{
		environ:  os.Environ(),
		stdin:    os.Stdin,
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		hostname: "host.example.com",
		pace:     hurried,
	})
}
