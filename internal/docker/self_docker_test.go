//go:build docker

package docker

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

func engineHost() string { return cmp.Or(os.Getenv("DOCKER_HOST"), defaultHost) }

// connect is a new connection to the real engine, as another process would make it.
func connect(t *testing.T, o ConnectOptions) *Engine {
	t.Helper()
	o.Host = cmp.Or(o.Host, engineHost())
	e, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatalf("these tests need a Docker Engine: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func unique(name string) string { return name + "-" + strings.ToLower(rand.Text()[:8]) }

// buildSelf builds the stand-in for this program once, statically.
var buildSelf = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "self")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "self")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "./testdata/self")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	return os.ReadFile(out)
})

// self is the stand-in's path.
func self(t *testing.T) string {
	t.Helper()
	program, err := buildSelf()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "self")
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// startGateway runs a stand-in gateway and returns its ID. It and its image are
// removed with the test.
func startGateway(t *testing.T, e *Engine, change func(*client.ContainerCreateOptions)) string {
	t.Helper()
	program, err := os.Open(self(t))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		t.Fatal(err)
	}
	name := unique("aigw-ci-test-gateway")
	if err := e.importExecutable(t.Context(), name+":latest", io.NewSectionReader(program, 0, info.Size())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = e.api.ImageRemove(context.Background(), name+":latest", client.ImageRemoveOptions{Force: true})
	})
	o := client.ContainerCreateOptions{
		Name: name,
		Config: &container.Config{
			Image:      name + ":latest",
			Entrypoint: []string{relayProgram, "serve", "5052"},
			Env:        []string{"SOME_API_KEY=sk-very-secret-1"},
		},
		HostConfig: &container.HostConfig{},
	}
	if change != nil {
		change(&o)
	}
	made, err := e.api.ContainerCreate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.removeContainer(context.Background(), made.ID); err != nil {
			t.Error(err)
		}
	})
	if _, err := e.api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// get asks a gateway who it is, on the road its handle finds.
func get(t *testing.T, h *handle) (body, via string) {
	t.Helper()
	var err error
	for range 50 {
		endpoint, failure := h.Endpoint(t.Context())
		if failure != nil {
			t.Fatal(failure)
		}
		transport := &http.Transport{DialContext: endpoint.Dial}
		web := &http.Client{Transport: transport, Timeout: 10 * time.Second}
		var resp *http.Response
		if resp, err = web.Get(endpoint.HTTP); err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		defer transport.CloseIdleConnections()
		defer resp.Body.Close()
		got, _ := io.ReadAll(resp.Body)
		return string(got), endpoint.Via
	}
	t.Fatal(err)
	return "", ""
}
