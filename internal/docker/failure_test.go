package docker

import (
	"errors"
	"strings"
	"testing"
)

// What an engine says about a full disk comes with what to do, once.
func TestFailureAdvises(t *testing.T) {
	t.Parallel()
	e := &Engine{host: hostAddress{Scheme: "unix", Socket: "/d.sock"}}
	full := errors.New("Error response from daemon: write /var/lib/docker/x: no space left on device")
	got := e.explain("creating container a", e.explain("putting b", full)).Error()
	want := "creating container a: putting b: write /var/lib/docker/x: no space left on device; " + diskFull
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	gone := e.explain("creating container a", errors.New("No such image: b"))
	if !strings.HasSuffix(gone.Error(), "run again, which pulls it once more") {
		t.Error(gone)
	}
}
