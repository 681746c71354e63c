package main

import (
	"io"
	"io/fs"
	"strings"
	"testing"

	"aigw-ci/internal/config"
	"aigw-ci/internal/rake"
)

// FuzzWayToNode holds two grammars together: the settings take for verify.rake what is
// a way that can be gone, and nothing else.
func FuzzWayToNode(f *testing.F) {
	for _, seed := range []string{
		"local", "docker:gitlab", "docker:a.b_c-d", "kubernetes:gitlab", "kubernetes:a1", "ssh:root@gitlab.example.com", "ssh:a.b@GitLab:2222",
		"ssh:git@10.0.0.1", "ssh:git@[2001:db8::1]:22", "ssh:git@[::ffff:10.0.0.1]", "ssh:git@a.-b", "ssh:git@x:022", "ssh:0@x", "docker:-x", "local:",
		"", "docker:", "docker:a", "kubernetes:-a", "kubernetes:A", "ssh:root@", "ssh:@host", "ssh:root@host:0", "ssh:root@host:65536", "ssh:root@host.",
		"ssh:root@[::1]", "ssh:root@[::1%eth0]:22", "ssh:root@[10.0.0.1]", "ssh:root@::1", "ssh:root:secret@host", "ssh:root@a_b", "telnet:host", " local", "Local",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, way string) {
		s, _, err := config.Load(t.Context(), config.Sources{
			Environ: []string{"AIGW_CI_VERIFY_RAKE=" + way},
			Open:    func(string) (fs.File, error) { return nil, fs.ErrNotExist },
		})
		if err != nil {
			if _, parsed := rake.Parse(way); parsed == nil {
				t.Errorf("the settings refuse %q, which is a way: %v", way, err)
			}
			return
		}
		if _, err := rake.Parse(s.Verify.Rake); err != nil {
			t.Errorf("the settings take %q: %v", way, err)
		}
	})
}

func TestNodeIsReachedOnTheWayThatIsSet(t *testing.T) {
	t.Parallel()
	for way, reached := range map[string]bool{
		"": false, "local": false, "docker:gitlab": true, "kubernetes:gitlab": true, "ssh:git@gitlab.example.com": true,
	} {
		node, err := rake.Parse(way)
		if err != nil {
			t.Fatal(err)
		}
		if a := (&assembly{node: node}); (a.onNode() != nil) != reached {
			t.Errorf("%q: %v", way, a.onNode())
		}
	}
}

// The secrets of the settings are known to the log before anything is said.
func TestSecretsOfSettingsAreHidden(t *testing.T) {
	t.Parallel()
	settings := config.Settings{
		GitLab:   config.GitLab{Token: "token-canary"},
		Registry: config.Registry{Password: "registry-canary"},
		Gateway:  config.Gateway{Environment: config.Environment{"OWN_KEY": "variable-canary"}},
		Kubernetes: config.Kubernetes{
			TLSKey: "-----BEGIN PRIVATE KEY-----\nkey-canary\n-----END PRIVATE KEY-----\n",
			Chart:  config.Chart{Password: "chart-canary"},
		},
		Report: config.Report{Dir: t.TempDir()},
		Log:    config.Log{Format: "text"},
	}
	s, err := command{system: system{stdout: io.Discard, stderr: io.Discard}}.open(settings)
	if err != nil {
		t.Fatal(err)
	}
	defer s.dir.Close()
	for _, secret := range []string{"token-canary", "registry-canary", "variable-canary", "key-canary", "chart-canary"} {
		if said := s.redact.String("it is " + secret + "."); strings.Contains(said, secret) {
			t.Errorf("said: %s", said)
		}
	}
}
