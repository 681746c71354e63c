//go:build docker

package image_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
)

// The engine pulls images of each kind from the lab's registry, with the lab's
// tokens, and runs them.
func TestImagesRun(t *testing.T) {
	t.Parallel()
	binary, err := image.BuildBinary(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	estate, err := lab.Start(t.Context(), lab.Options{Binary: binary, HashTags: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = estate.Close() })
	if err := estate.Publish("self-hosted-v18.5.1-ee", gateway.CrashAtBoot); err != nil {
		t.Fatal(err)
	}
	for tag, user := range map[string]string{"self-hosted-v17.5.0-ee": "", "self-hosted-v18.2.8-ee": "aigateway", "self-hosted-v18.4.1-ee": "aigateway"} {
		t.Run(tag, func(t *testing.T) {
			t.Parallel()
			id := run(t, estate.Repository()+":"+tag)
			if got := docker(t, "inspect", "-f", "{{.Config.User}}", id); got != user {
				t.Errorf("user %q", got)
			}
			address := "http://" + docker(t, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", id) + ":5052"
			if got := ask(t, address+"/monitoring/healthz"); got != "200 {}" {
				t.Error(got)
			}
			if got := ask(t, address+"/"); got != `401 {"error":"No authorization header presented"}` {
				t.Error(got)
			}
			docker(t, "stop", "-t", "10", id)
			if got := docker(t, "inspect", "-f", "{{.State.ExitCode}}", id); got != "0" {
				t.Errorf("exit code %s after SIGTERM", got)
			}
		})
	}
	t.Run("crash", func(t *testing.T) {
		t.Parallel()
		id := run(t, estate.Repository()+":self-hosted-v18.5.1-ee")
		if got := docker(t, "wait", id); got != "1" {
			t.Errorf("exit code %s", got)
		}
		if got := docker(t, "logs", id); !strings.Contains(got, "Traceback (most recent call last)") {
			t.Error(got)
		}
	})
}

// run starts a container, to be removed with its image after the test.
func run(t *testing.T, reference string) string {
	t.Helper()
	docker(t, "pull", "-q", reference)
	t.Cleanup(func() { docker(t, "rmi", reference) })
	name := "aigw-lab-test-" + strings.ToLower(rand.Text()[:8])
	docker(t, "create", "--name", name, reference)
	t.Cleanup(func() { docker(t, "rm", "-f", name) })
	docker(t, "start", name)
	return name
}

// docker runs the client; t.Context is over when a test cleans up, so it has none.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// ask waits for an answer and returns "status body".
func ask(t *testing.T, url string) string {
	t.Helper()
	var last error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		response, err := http.Get(url)
		if err != nil {
			last = err
			continue
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", response.StatusCode, body)
	}
	t.Fatal(last)
	return ""
}
