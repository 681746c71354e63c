//go:build docker

package docker

import (
	"testing"

	"aigw-ci/internal/lab/dockerd"
)

// engine is the one that the tests share, or one of a test's own.
type engine struct{ *dockerd.Engine }

func newEngine(host string) (*engine, error) {
	e, err := dockerd.New(host)
	return &engine{e}, err
}

// must is Call, where a failure is the end of the test.
func (e *engine) must(t testing.TB, method, path string, body, into any) {
	t.Helper()
	if err := e.Call(t.Context(), method, path, body, into); err != nil {
		t.Fatalf("engine: %v", err)
	}
}

// inspect is Find, where the container has to be there.
func (e *engine) inspect(t testing.TB, name string) *dockerd.Container {
	t.Helper()
	c, err := e.Find(t.Context(), name)
	switch {
	case err != nil:
		t.Fatalf("engine: %v", err)
	case c == nil:
		t.Fatalf("there is no container %s", name)
	}
	return c
}
