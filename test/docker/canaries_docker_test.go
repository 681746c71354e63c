//go:build docker

package docker

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/test/canary"
)

// What cmd/aigw-ci tests on a stand-in, on a real engine, whose containers are
// processes of this machine: no secret is in the arguments of any process, in what the
// engine lists of its containers, in the log, the reports or the evidence.
func TestSecretsAreNeverSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var hidden canary.Canaries
	hidden.Plant("gitlab.token", gitlab.TokenReadAPI)
	file := filepath.Join(t.TempDir(), "canary")
	if err := os.WriteFile(file, []byte(hidden.Value("a variable from a file")), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := []string{
		"AIGW_CI_GATEWAY_ENVIRONMENT=OWN_TOKEN=" + hidden.Word("a variable") + "\nOWN_ADDRESS=https://me:" + hidden.Word("an address") + "@example.com",
		"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=OWN_SECRET=" + file,
		"AIGW_CI_REGISTRY_USER=" + gitlab.RegistryUser, "AIGW_CI_REGISTRY_PASSWORD=" + gitlab.RegistryPassword,
		"CI_JOB_TOKEN=" + hidden.Word("CI_JOB_TOKEN"), "AIGW_CI_LOG_LEVEL=debug",
	}
	hidden.Plant("registry.password", gitlab.RegistryPassword)
	stop := hidden.Watch(t.Context())
	run := func(command string, exit int, more ...string) {
		t.Helper()
		r := w.start(command, append(settings[:len(settings):len(settings)], more...)...).Wait()
		if r.Exit != exit {
			t.Errorf("%s: exit code %d, %s, not %d: %s", command, r.Exit, r.Outcome, exit, r.Error)
		}
		list, err := w.Containers(t.Context())
		listed, _ := json.Marshal(list)
		if err := errors.Join(err, hidden.Seen("the output", r.Log), hidden.SeenBelow(r.Dir), hidden.Seen("the list of containers", string(listed))); err != nil {
			t.Errorf("%s, exit code %d: %v", command, r.Exit, err)
		}
	}
	run("plan", 0)
	run("upgrade", 0)
	run("verify", 0)
	w.estate.SetVersion("18.3.6-ee")
	w.publish(tag183, gateway.CrashAtBoot)
	run("upgrade", 4)
	run("upgrade", 4, "AIGW_CI_REHEARSE=false")
	w.publish(tag183, gateway.Healthy)
	run("upgrade", 0, "AIGW_CI_GATEWAY_ENVIRONMENT=OWN_TOKEN="+hidden.Word("another value of a variable"))
	run("rollback", 0)
	if err := stop(); err != nil {
		t.Error(err)
	}
}
