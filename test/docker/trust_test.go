//go:build docker

package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
)

// A GitLab with a certificate of a company's own authority: the tool trusts it by
// ca_file, and the gateway by gateway.ca_bundle.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, lab.Options{TLS: true})
	bundle := filepath.Join(t.TempDir(), "corp.pem")
	if err := os.WriteFile(bundle, w.estate.CA, 0o600); err != nil {
		t.Fatal(err)
	}

	w.run("upgrade", 6, "inconclusive").Says(t, "certificate", "ca_file")

	w.settings["AIGW_CI_CA_FILE"] = bundle
	r := w.run("upgrade", 1, "failed")
	c := r.Check("gateway.gitlab", "rehearsal")
	if c.Verdict != "fail" || !strings.Contains(c.Detail, "signed by an authority that the gateway does not trust") || !strings.Contains(c.Remedy, "ca_bundle") {
		t.Errorf("a gateway that trusts nobody: %+v", c)
	}
	if c, err := w.Find(t.Context(), w.name); c != nil || err != nil {
		t.Fatalf("it was installed all the same: %v, %v", c, err)
	}
	w.alone()

	w.settings["AIGW_CI_GATEWAY_CA_BUNDLE"] = bundle
	r = w.run("upgrade", 0, "installed")
	first := w.serves(tag182)
	for _, stage := range []string{"rehearsal", "live"} {
		if c := r.Check("gateway.gitlab", stage); c.Verdict != "pass" {
			t.Errorf("gateway.gitlab of the %s: %+v", stage, c)
		}
	}
	for _, name := range []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} {
		if got := w.read(first.ID, first.Variable(name)); got != string(w.estate.CA) {
			t.Errorf("%s names %q, which holds %q", name, first.Variable(name), got)
		}
	}

	// Nothing declares it any more, and it is kept all the same.
	delete(w.settings, "AIGW_CI_GATEWAY_CA_BUNDLE")
	w.run("upgrade", 0, "unchanged")
	w.estate.SetVersion("18.3.6-ee")
	r = w.run("upgrade", 0, "upgraded")
	if c := r.Check("gateway.gitlab", "live"); c.Verdict != "pass" {
		t.Errorf("gateway.gitlab after the upgrade: %+v", c)
	}
	w.serves(tag183)
	w.alone()
}

// From 18.9 on a gateway needs four keys. They are made at the first install, and
// users' sessions depend on their staying the same.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.estate.SetVersion("18.9.0-ee")
	w.release(image.Options{Tag: "self-hosted-v18.9.0-ee"})
	j := w.start("upgrade")
	j.Expect(0, "installed")
	first := w.serves("self-hosted-v18.9.0-ee")
	keys := []string{
		"AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY",
		"DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY", "DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY",
	}
	seen := make(map[string]bool)
	for _, name := range keys {
		key := first.Variable(name)
		if !strings.HasPrefix(key, "-----BEGIN ") || seen[key] {
			t.Errorf("%s is not a key of its own: %.30q", name, key)
		}
		seen[key] = true
	}
	w.silent(j, first, keys)

	w.release(image.Options{Tag: "self-hosted-v18.9.1-ee"})
	w.estate.SetVersion("18.9.1-ee")
	j = w.start("upgrade")
	j.Expect(0, "upgraded")
	second := w.serves("self-hosted-v18.9.1-ee")
	for _, name := range keys {
		if second.Variable(name) != first.Variable(name) {
			t.Errorf("%s is another one after the upgrade", name)
		}
	}
	w.silent(j, second, keys)
}

// silent fails the test when a run's log or reports hold a line of a secret.
func (w *world) silent(j *program.Job, c *dockerd.Container, secrets []string) {
	w.Helper()
	texts := map[string]string{"the log": j.Log.String()}
	err := filepath.WalkDir(j.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		texts[path] = string(data)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	for where, text := range texts {
		for _, name := range secrets {
			for line := range strings.Lines(c.Variable(name)) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") && len(line) > 6 && strings.Contains(text, line) {
					w.Errorf("%s holds a line of %s", where, name)
				}
			}
		}
	}
}
